import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import type { Adapter } from '../src/contract/adapter.ts';
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

/** Faults of a runtime that `bench` reports as a mismatch. */
const runtimeFaults: Record<string, string> = {
  'onnx-webgpu dense.fused': "ONNX Runtime's WebGPU attention operators are wrong on software Vulkan",
  'onnx-webgpu dense.mha': "ONNX Runtime's WebGPU attention operators are wrong on software Vulkan",
};

for (const entry of adapters) {
  const adapter = await entry.load();
  for (const backend of adapter.backends) {
    const status = await adapter.status(backend);
    for (const { variant, kernel } of adapter.kernels) {
      const name = `${backend}: ${variant}.${kernel} agrees with the float64 reference`;
      const skip = status.available ? (runtimeFaults[`${backend} ${variant}.${kernel}`] ?? false) : status.reason;
      test(name, { skip }, async (context) => {
        const cases = conformanceCases.filter((given) => given.variant === variant && (backend === 'onnx-cpu' || isSmall(given)));
        let checked = 0;
        for (const given of cases) checked += await checkCase(adapter, { backend, kernel, given });
        assert.ok(checked > 0, 'no case is defined for the kernel');
        context.diagnostic(`${checked} cases`);
      });
    }
  }
}

/** A GPU that is emulated takes minutes for the others. */
function isSmall({ shape }: ConformanceCase): boolean {
  return shape.queries * shape.keys <= 20_000;
}

/** 1 where the case was checked, 0 where the variant is not defined for it. */
async function checkCase(adapter: Adapter, at: { backend: string; kernel: string; given: ConformanceCase }): Promise<number> {
  const { backend, kernel, given } = at;
  const variant = findVariant(given.variant);
  if (variant.refuses(given.parameters, given.shape) !== undefined) return 0;
  const inputs = createCaseInputs(given);
  const { parameters } = given;
  const prepared = await adapter.prepare({ backend, variant: given.variant, parameters, kernel, inputs, purpose: 'latency' });
  assert.ok(!('unsupported' in prepared), `${given.name}: ${'unsupported' in prepared ? prepared.unsupported : ''}`);
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
