import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import '../tests/optional-runtimes.ts';
import { checkKernel } from '../src/conformance/check-kernel.ts';
import type { CheckOptions } from '../src/conformance/check-kernel.ts';
import { supportOf } from '../src/conformance/support.ts';
import type { Support } from '../src/conformance/support.ts';
import type { Adapter } from '../src/contract/adapter.ts';
import { casesOf } from '../src/variants/cases.ts';
import type { CaseSet } from '../src/variants/case-sets.ts';
import { adapters } from './index.ts';

// Every kernel of every adapter on every backend that runs here, against the float64 reference, on the conformance cases.
/** Faults of a runtime that `bench` reports as a mismatch. */
const runtimeFaults: Record<string, string> = {
  'onnx-webgpu dense.fused': "ONNX Runtime's WebGPU attention operators are wrong on software Vulkan",
  'onnx-webgpu dense.mha': "ONNX Runtime's WebGPU attention operators are wrong on software Vulkan",
};

/** OpenVINO orders equal values of TopK as it likes unless it is told otherwise, which ONNX Runtime's provider cannot do. */
const ignoresTies = /^ort-openvino (topk|gated)\.tiled$/;

/** Other backends are checked on the quick cases. A GPU that is emulated, and OpenVINO, compile for seconds a shape. */
const caseSets: Record<string, CaseSet> = {
  'onnx-cpu': 'all',
  'torch-cpu': 'all',
  'tfjs-wasm': 'everyday',
  'onnx-webgpu': 'few',
  'openvino-cpu': 'few',
  'ort-cpu': 'few',
  'ort-openvino': 'few',
  'tfjs-webgpu': 'few',
};
/** Kernels that write the n² logits out, where that takes minutes. */
const naiveSets: Record<string, CaseSet> = { 'tfjs-wasm': 'quick' };

/** Kernels of a runtime's own that take what it takes, by version and device: declined cases are counted and told, not failed. */
const mayDecline =
  /^torch-(cpu|cuda) (dense\.(fused|flash|efficient|cudnn|math|compiled(-naive)?|flex|mha)|window\.flex)$|^ort-\w+ linear\.standard$/;
/** What dense.fused leaves to dense.tiled: the runtime's other operators know neither. */
const operatorLimits = /^dense\.fused takes (a soft cap|attention sinks) only where GroupQueryAttention applies/;
/** Kernels that are compiled for each shape take five seconds or more a case: two that show the most. */
const isCompiled = /\.(compiled|compiled-naive|flex)$/;
const compiledCases = /causal (1x3\/3x33x100x16|2x6\/2x77x77x16, mask element)$/;

const loaded = new Map<string, Adapter>();
for (const entry of adapters) {
  const adapter = await entry.load();
  const shared = adapter.inOneProcess?.();
  if (shared !== undefined) after(() => shared.close());
  for (const backend of entry.backends) loaded.set(backend, shared ?? adapter);
}

for (const { backend, kernels } of await supportOf(adapters)) {
  for (const kernel of kernels) {
    const name = `${backend} ${kernel.variant}.${kernel.kernel}`;
    test(`${name} agrees with the float64 reference`, { skip: skipOf(kernel) }, async (context) => {
      const cases = casesOf((kernel.kernel === 'naive' ? naiveSets[backend] : undefined) ?? caseSets[backend] ?? 'quick');
      const taken = isCompiled.test(name) ? cases.filter((given) => compiledCases.test(given.name)) : cases;
      const { checked, failed, unsupported } = await checkKernel(loaded.get(backend)!, { ...kernel, ...runOptions(backend) }, taken);
      const unexpected = failed.filter((given) => !ignoresTies.test(name) || !/, integers/.test(given.name));
      assert.deepEqual(unexpected, []);
      const unexplained = unsupported.filter(({ reason }) => !operatorLimits.test(reason));
      if (!mayDecline.test(name)) assert.deepEqual(unexplained, []);
      if (checked === 0 && unsupported.length > 0) return context.skip(unsupported[0]!.reason);
      assert.ok(checked > 0, 'no case is defined for the kernel');
      context.diagnostic(
        `${checked} cases${unsupported.length > 0 ? `; ${unsupported.length} declined, such as ${unsupported[0]!.name}` : ''}`,
      );
    });
  }
}

/**
 * Idle threads of a runtime wait for the next of many small cases by spinning, PyTorch's for each other: on a busy machine two take many times
 * as long as one. Tests of adapters and of the command line leave the number to the runtime. Small cases are repeated where a call takes little time.
 */
function runOptions(backend: string): CheckOptions {
  const isNative = /^torch-|^(onnx|openvino|ort)-cpu$/.test(backend);
  return isNative ? { threads: 1, calls: 2 } : { calls: 1 };
}

function skipOf({ backend, variant, kernel, state, reason }: Support): string | false {
  if (state !== 'runs') return reason ?? state;
  return runtimeFaults[`${backend} ${variant}.${kernel}`] ?? false;
}
