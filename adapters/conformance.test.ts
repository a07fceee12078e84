import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { checkKernel } from '../src/conformance/check-kernel.ts';
import { supportOf } from '../src/conformance/support.ts';
import type { Support } from '../src/conformance/support.ts';
import { casesOf } from '../src/variants/cases.ts';
import type { CaseSet } from '../src/variants/cases.ts';
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

/** A GPU that is emulated takes minutes for the longer cases. */
const caseSets: Record<string, CaseSet> = { 'onnx-cpu': 'all' };

for (const { backend, kernels } of await supportOf(adapters)) {
  for (const kernel of kernels) {
    test(`${backend}: ${kernel.variant}.${kernel.kernel} agrees with the float64 reference`, { skip: skipOf(kernel) }, async (context) => {
      const { load } = adapters.find(({ backends }) => backends.includes(backend))!;
      const { checked, failed, unsupported } = await checkKernel(await load(), kernel, casesOf(caseSets[backend] ?? 'quick'));
      assert.deepEqual(failed, []);
      assert.deepEqual(unsupported, []);
      assert.ok(checked > 0, 'no case is defined for the kernel');
      context.diagnostic(`${checked} cases`);
    });
  }
}

function skipOf({ backend, variant, kernel, state, reason }: Support): string | false {
  if (state !== 'runs') return reason ?? state;
  return runtimeFaults[`${backend} ${variant}.${kernel}`] ?? false;
}
