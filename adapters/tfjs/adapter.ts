import type { Adapter, KernelRequest, PreparedKernel, Unsupported } from '../../src/contract/adapter.ts';
import { backends, loadEngine, statusOf } from './backends.ts';
import { using } from './engine.ts';
import { kernels } from './kernels/index.ts';
import { setTensorflowEnvironment } from './tensorflow-environment.ts';
import { logitRefusal } from '../../src/variants/reference.ts';

/** TensorFlow.js: one set of kernels in tfjs operations, on whichever backend is there. */
export const adapter: Adapter = {
  name: 'tfjs',
  backends: backends.map(({ name }) => name),
  kernels,
  needs: Object.fromEntries(backends.flatMap(({ name, needs }) => (needs === undefined ? [] : [[name, needs]]))),
  status: statusOf,
  prepare,
  train: async (request) => (await import('./training/train.ts')).train(request),
};

async function prepare(request: KernelRequest): Promise<PreparedKernel | Unsupported> {
  const { backend, variant, kernel: name, inputs } = request;
  setTensorflowEnvironment(request);
  const status = await statusOf(backend);
  if (!status.available) return { unsupported: `${backend}: ${status.reason}; ${status.mend}` };
  if (request.threads !== undefined && status.threads !== null && status.threads !== request.threads)
    return {
      unsupported: `${backend} runs on ${status.threads} ${status.threads === 1 ? 'thread' : 'threads'} here, not on ${request.threads}`,
    };
  if (!status.dtypes.includes(inputs.shape.dtype)) return { unsupported: `${backend} has no ${inputs.shape.dtype} tensors, only f32` };
  if (request.outputGradient !== undefined) return { unsupported: 'the tfjs adapter does not support gradients' };
  const kernel = kernels.find((known) => known.variant === variant && known.kernel === name);
  if (kernel === undefined) return { unsupported: `the tfjs adapter has no kernel ${variant}.${name}` };
  const lacking = kernel.lacking?.[backend];
  if (lacking !== undefined) return { unsupported: `${backend}: ${lacking}` };
  const refusal = logitRefusal(`${variant}.${name} on ${backend}`, {}, inputs);
  if (refusal !== undefined) return { unsupported: refusal };
  const engine = await loadEngine(backend);
  const { TfjsCall } = await import('./call.ts');
  return using(engine, () => new TfjsCall(engine, kernel, request));
}
