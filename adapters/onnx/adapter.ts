import { madeOnce } from '../../src/processes/kept.ts';
import * as ort from '../../src/processes/onnxruntime.ts';
import type { Adapter, BackendStatus, Dispatch, KernelRequest, PreparedKernel, Unsupported } from '../../src/contract/adapter.ts';
import { AttnswapError } from '../../src/contract/errors.ts';
import { backends, findBackend, statusOf } from './backends.ts';
import { feedsOf, outputValues } from './call.ts';
import { kernels } from './kernels/index.ts';
import { configOf, kernelOf } from './kernel-of.ts';
import { openModel } from './open-model.ts';
import type { Profiled } from './profile.ts';
import { sessionOptions } from './session-options.ts';

/**
 * ONNX Runtime, embedded: kernels are ONNX graphs built here, run by onnxruntime-node. This is what measuring processes load. What builds graphs is half
 * as many modules again, so it is loaded only for a graph that no other process has built; `kernelGraph` is in with-graphs.ts.
 */
export const adapter: Adapter = {
  name: 'onnx',
  backends: backends.map(({ name }) => name),
  kernels,
  needs: Object.fromEntries(backends.flatMap(({ name, needs }) => (needs === undefined ? [] : [[name, needs]]))),
  status: async (name) => statusOf(findBackend(name)),
  prepare,
  openModel,
  ceilings: async (request) => (await import('./ceilings.ts')).ceilings(request),
};

async function prepare(request: KernelRequest): Promise<PreparedKernel | Unsupported> {
  const backend = findBackend(request.backend);
  const status: BackendStatus = await statusOf(backend);
  if (!status.available) return { unsupported: `${request.backend}: ${status.reason}; ${status.mend}` };
  const { dtype } = request.inputs.shape;
  if (!status.dtypes.includes(dtype))
    return { unsupported: `${request.backend} has no ${dtype} kernels, only ${status.dtypes.join(', ')}` };
  if (request.outputGradient !== undefined)
    return { unsupported: 'onnx kernels have no backward pass: ONNX Runtime for Node supports inference only' };
  const config = configOf(request);
  const kernel = kernelOf(request, config);
  if ('unsupported' in kernel) return kernel;
  const ignored = config.softcap === undefined ? undefined : kernel.capIgnored?.on[request.backend];
  if (ignored !== undefined) return { unsupported: `${ignored}; use ${kernel.capIgnored!.instead}` };
  const built = { model: `${kernel.variant}.${kernel.kernel}`, config };
  const model = await madeOnce(built, async () => (await import('./kernel-graph.ts')).kernelModel(kernel, config));
  const profiled: Profiled = (prefix) => ({
    model,
    options: { ...sessionOptions(backend, request), enableProfiling: true, profileFilePrefix: prefix },
  });
  // Providers of GPUs may synchronize more in a session that has ever been profiled.
  if (request.profiled !== true || backend.provider !== 'cpu')
    return new OnnxCall(await ort.InferenceSession.create(model, sessionOptions(backend, request)), request, profiled);
  const { openProfiled } = await import('./profile.ts');
  const { session, end } = await openProfiled(profiled);
  return new OnnxCall(session, request, profiled, end);
}

class OnnxCall implements PreparedKernel {
  readonly compiledAhead = true;
  readonly #session: ort.InferenceSession;
  readonly #request: KernelRequest;
  readonly #feeds: ort.InferenceSession.FeedsType;
  readonly #profiled: Profiled;
  readonly endProfile?: () => Promise<Dispatch>;
  #output: ort.Tensor | undefined;

  constructor(session: ort.InferenceSession, request: KernelRequest, profiled: Profiled, endProfile?: () => Promise<Dispatch>) {
    this.#session = session;
    this.#request = request;
    this.#feeds = feedsOf(request);
    this.#profiled = profiled;
    if (endProfile !== undefined) this.endProfile = endProfile;
  }

  async run(): Promise<void> {
    this.#output = undefined;
    const { output } = await this.#session.run(this.#feeds);
    this.#output = output;
  }

  async output(): Promise<Float32Array> {
    if (this.#output === undefined)
      throw new AttnswapError('WORKER_FAILED', `${this.#request.backend}: no call has ended, so there is no output`);
    return outputValues(this.#output);
  }

  async dispatch(): Promise<Dispatch> {
    const { profileCall } = await import('./profile.ts');
    return profileCall(this.#profiled, this.#feeds);
  }

  async peakDeviceBytes(): Promise<null> {
    return null;
  }

  async dispose(): Promise<void> {
    this.#output = undefined;
    await this.#session.release();
  }
}
