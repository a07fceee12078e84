import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, test } from 'node:test';
import type { Adapter, Unsupported } from '../src/contract/adapter.ts';
import type { ConformanceCase } from '../src/variants/cases.ts';
import { createCaseInputs } from '../src/variants/case-inputs.ts';
import { conformanceCases } from '../src/variants/cases.ts';
import { findVariant } from '../src/variants/index.ts';
import { judgeOutput } from '../src/variants/judge.ts';
import { adapters } from './index.ts';

// Every kernel of every adapter on every backend that runs here, against the float64 reference, on the conformance cases.
/** WebGPU without a GPU: Debian's chromium package brings SwiftShader's Vulkan driver. */
const softwareVulkan = '/usr/lib/chromium/vk_swiftshader_icd.json';
if (process.env['VK_DRIVER_FILES'] === undefined && existsSync(softwareVulkan)) {
  process.env['VK_DRIVER_FILES'] = softwareVulkan;
  process.env['XDG_RUNTIME_DIR'] ??= '/tmp';
}

/** Backends that take the long cases too. */
const thorough = new Set(['onnx-cpu', 'torch-cpu']);

/** Faults of a runtime that `bench` reports as a mismatch. */
const runtimeFaults: Record<string, string> = {
  'onnx-webgpu dense.fused': "ONNX Runtime's WebGPU attention operators are wrong on software Vulkan",
  'onnx-webgpu dense.mha': "ONNX Runtime's WebGPU attention operators are wrong on software Vulkan",
};

/** Kernels of a runtime's own that take what it takes, by version and device: declined cases are counted and told, not failed. */
const mayDecline = /^torch-(cpu|cuda) (dense\.(fused|flash|efficient|cudnn|math|compiled|flex)|window\.flex)$/;
/** Kernels that are compiled for each shape take five seconds or more a case: two that show the most. */
const isCompiled = /\.(compiled|flex)$/;
const compiledCases = /causal (1x3\/3x33x100x16|2x6\/2x77x77x16, mask element)$/;

for (const entry of adapters) {
  const loaded = await entry.load();
  const shared = loaded.inOneProcess?.();
  if (shared !== undefined) after(() => shared.close());
  const adapter = shared ?? loaded;
  for (const backend of adapter.backends) {
    const status = await adapter.status(backend);
    for (const { variant, kernel, lacking } of adapter.kernels) {
      const full = `${backend} ${variant}.${kernel}`;
      const name = `${backend}: ${variant}.${kernel} agrees with the float64 reference`;
      const skip = status.available ? (lacking?.[backend] ?? runtimeFaults[full] ?? false) : status.reason;
      test(name, { skip }, async (context) => {
        const cases = conformanceCases.filter((given) => given.variant === variant && (thorough.has(backend) || isSmall(given)));
        const taken = isCompiled.test(full) ? cases.filter((given) => compiledCases.test(given.name)) : cases;
        let checked = 0;
        const declined: string[] = [];
        for (const given of taken) {
          const outcome = await checkCase(adapter, { backend, kernel, given });
          if (typeof outcome === 'number') checked += outcome;
          else if (mayDecline.test(full)) declined.push(`${given.name}: ${outcome.unsupported}`);
          else assert.fail(`${given.name}: ${outcome.unsupported}`);
        }
        if (checked === 0 && declined.length > 0) return context.skip(declined[0]);
        assert.ok(checked > 0, 'no case is defined for the kernel');
        context.diagnostic(`${checked} cases${declined.length > 0 ? `; ${declined.length} declined, such as ${declined[0]}` : ''}`);
      });
    }
  }
}

/** A GPU that is emulated takes minutes for the others. */
function isSmall({ shape }: ConformanceCase): boolean {
  return shape.queries * shape.keys <= 20_000;
}

/** 1 where the case was checked, 0 where the variant is not defined for it; or why the kernel does not serve it. */
async function checkCase(adapter: Adapter, at: { backend: string; kernel: string; given: ConformanceCase }): Promise<number | Unsupported> {
  const { backend, kernel, given } = at;
  const variant = findVariant(given.variant);
  if (variant.refuses(given.parameters, given.shape) !== undefined) return 0;
  const inputs = createCaseInputs(given);
  const { parameters } = given;
  // PyTorch's threads wait for each other: on a busy machine two take many times as long as one.
  const threads = backend.startsWith('torch-') ? { threads: 1 } : {};
  const prepared = await adapter.prepare({ backend, variant: given.variant, parameters, kernel, inputs, purpose: 'latency', ...threads });
  if ('unsupported' in prepared) return prepared;
  try {
    await prepared.run();
    const { shape } = given;
    const rows = shape.heads * shape.queries > 2000 ? { count: 300, seed: given.seed } : 'all';
    const judgement = judgeOutput(await prepared.output(), inputs, variant, parameters, { rows, exactLogits: given.exactLogits });
    assert.ok(judgement.ok, `${given.name}: ${judgement.reason}`);
  } finally {
    await prepared.dispose();
  }
  return 1;
}
