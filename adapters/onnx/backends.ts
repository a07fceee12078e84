import { usableCores } from '../../src/processes/allowed-processors.ts';
import { readText } from '../../src/processes/control-groups.ts';
import { threadCount } from '../../src/processes/cpu-quota.ts';
import * as ort from '../../src/processes/onnxruntime.ts';
import type { BackendStatus } from '../../src/contract/adapter.ts';
import { AttnswapError } from '../../src/contract/errors.ts';
import type { DType } from '../../src/contract/shape.ts';

export interface OnnxBackend {
  readonly name: string;
  /** As onnxruntime-node lists it. */
  readonly provider: string;
  readonly providers: ort.InferenceSession.ExecutionProviderConfig[];
  readonly device: string;
  readonly dtypes: readonly DType[];
  readonly mend: string;
  /** What a machine needs beyond the package, in words. */
  readonly needs?: string;
}

/** Providers fall back to the CPU for operators that they lack; `dispatch` tells which. */
export const backends: readonly OnnxBackend[] = [
  { name: 'onnx-cpu', provider: 'cpu', providers: ['cpu'], device: 'CPU', dtypes: ['f32'], mend: 'reinstall onnxruntime-node' },
  {
    name: 'onnx-webgpu',
    provider: 'webgpu',
    providers: ['webgpu', 'cpu'],
    device: 'GPU through WebGPU (Dawn)',
    dtypes: ['f32', 'f16'],
    needs: "a GPU driver, or SwiftShader's Vulkan (correctness only: `dense.fused` and `dense.mha` are a `mismatch` there)",
    mend: 'install a Vulkan, Metal or D3D12 driver; without one (for correctness checks only): apt-get install chromium libvulkan1, then VK_DRIVER_FILES=/usr/lib/chromium/vk_swiftshader_icd.json',
  },
  {
    name: 'onnx-cuda',
    provider: 'cuda',
    providers: ['cuda', 'cpu'],
    device: 'NVIDIA GPU',
    dtypes: ['f32', 'f16'],
    needs: 'an NVIDIA GPU, CUDA 12, and `npm install-scripts approve onnxruntime-node && npm rebuild onnxruntime-node`',
    mend: 'allow the install script that fetches the provider: npm install-scripts approve onnxruntime-node && npm rebuild onnxruntime-node',
  },
];

/** @throws UNKNOWN_BACKEND */
export function findBackend(name: string): OnnxBackend {
  const found = backends.find((backend) => backend.name === name);
  if (found !== undefined) return found;
  throw new AttnswapError(
    'UNKNOWN_BACKEND',
    `onnx: unknown backend ${JSON.stringify(name)}, expected one of ${backends.map((known) => known.name).join(', ')}`,
  );
}

/** Whether the provider is bundled and, for GPUs, whether a session on it can be opened at all. */
export async function statusOf(backend: OnnxBackend): Promise<BackendStatus> {
  const bundled = ort.listSupportedBackends().find(({ name, bundled: inside }) => name === backend.provider && inside);
  if (bundled === undefined) {
    return { available: false, reason: `onnxruntime-node has no ${backend.provider} provider installed`, mend: backend.mend };
  }
  const probed = async (type: 'f32' | 'f16') => (await import('./probe.ts')).probe(backend.provider, type);
  const refusal = backend.provider === 'cpu' ? undefined : await probed('f32');
  if (refusal !== undefined) return { available: false, reason: refusal, mend: backend.mend };
  const half = backend.dtypes.includes('f16') && (await probed('f16')) === undefined;
  const version = `onnxruntime-node ${ort.env.versions.node ?? ort.env.versions.common}`;
  const threads = backend.provider === 'cpu' ? Math.min(threadCount(), usableCores(readText)) : null;
  return { available: true, version, device: backend.device, threads, dtypes: backend.dtypes.filter((dtype) => dtype !== 'f16' || half) };
}
