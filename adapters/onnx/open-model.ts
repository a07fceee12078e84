import * as ort from '../../src/processes/onnxruntime.ts';
import type { BoundModel, ModelInput, ModelRequest, OpenModel, Unsupported } from '../../src/contract/adapter.ts';
import { AttnswapError } from '../../src/contract/errors.ts';
import { tensorTypes } from '../../src/contract/tensor.ts';
import type { Tensor, Tensors, TensorType } from '../../src/contract/tensor.ts';
import { findBackend, statusOf } from './backends.ts';
import { halfTensor } from './call.ts';
import type { Profiled } from './profile.ts';
import { createSession, sessionOptions } from './session-options.ts';

/** Opens a user's model. @throws INVALID_MODEL where ONNX Runtime refuses it; INVALID_INPUTS for an input of a type that cannot be given */
export async function openModel(request: ModelRequest): Promise<OpenModel | Unsupported> {
  const backend = findBackend(request.backend);
  const status = await statusOf(backend);
  if (!status.available) return { unsupported: `${request.backend}: ${status.reason}; ${status.mend}` };
  if (request.pass !== undefined) return { unsupported: `${request.backend} computes no gradients` };
  const name = typeof request.model === 'string' ? request.model : 'model';
  const options = sessionOptions(backend, request);
  const session = await createSession(request.model, options).catch(async (error: unknown) => {
    // Without optimization, ONNX Runtime 1.30 trips over a Cast from f16 to f16 behind an operator that it computes in f32.
    const basic = options.graphOptimizationLevel === 'disabled' ? { ...options, graphOptimizationLevel: 'basic' as const } : undefined;
    const opened = basic && (await createSession(request.model, basic).catch(() => undefined));
    if (opened !== undefined) return opened;
    throw new AttnswapError('INVALID_MODEL', `${name}: ${request.backend} cannot open it: ${(error as Error).message}`, { cause: error });
  });
  return {
    inputs: session.inputMetadata.map((input) => describeInput(input, name)),
    outputs: session.outputNames,
    bind: (feeds) =>
      bind(session, feeds, name, (prefix) => ({
        model: request.model,
        options: { ...sessionOptions(backend, request), enableProfiling: true, profileFilePrefix: prefix },
      })),
    dispose: () => session.release(),
  };
}

function describeInput(input: ort.InferenceSession.ValueMetadata, model: string): ModelInput {
  const type = input.isTensor ? tensorTypes.find((known) => known === input.type) : undefined;
  if (!input.isTensor || type === undefined) {
    const got = input.isTensor ? input.type : 'not a tensor';
    throw new AttnswapError('INVALID_INPUTS', `${model}: input ${input.name} is ${got}, expected a tensor of ${tensorTypes.join(', ')}`);
  }
  return { name: input.name, type, dims: input.shape.map((size) => (typeof size === 'number' && size < 0 ? '' : size)) };
}

function bind(session: ort.InferenceSession, feeds: Tensors, model: string, profiled: Profiled): BoundModel {
  const missing = session.inputNames.filter((name) => feeds[name] === undefined);
  const unknown = Object.keys(feeds).filter((name) => !session.inputNames.includes(name));
  if (missing.length + unknown.length > 0) {
    const got = Object.keys(feeds).join(', ');
    throw new AttnswapError('INVALID_INPUTS', `${model}: expected the inputs ${session.inputNames.join(', ')}, got ${got}`);
  }
  const values = Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, toRuntime(tensor)]));
  let results: ort.InferenceSession.OnnxValueMapType | undefined;
  return {
    run: async () => {
      results = undefined;
      results = await session.run(values);
    },
    async dispatch() {
      const { profileCall } = await import('./profile.ts');
      return profileCall(profiled, values);
    },
    outputs: () => {
      if (results === undefined) throw new AttnswapError('WORKER_FAILED', `${model}: no call has ended, so there are no outputs`);
      return Object.fromEntries(Object.entries(results).map(([name, value]) => [name, fromRuntime(value)]));
    },
  };
}

function toRuntime({ type, dims, data }: Tensor): ort.Tensor {
  if (type === 'float16') return halfTensor(data as Uint16Array, [...dims]);
  return new ort.Tensor(type as 'float32', data as Float32Array, [...dims]);
}

/** f16 comes as Float16Array where Node has it; it leaves as bit patterns. */
function fromRuntime({ type, dims, data }: ort.Tensor): Tensor {
  const bits = type === 'float16' && !(data instanceof Uint16Array);
  const view = data as unknown as { buffer: ArrayBuffer; byteOffset: number; length: number };
  return {
    type: type as TensorType,
    dims,
    data: bits ? new Uint16Array(view.buffer, view.byteOffset, view.length) : (data as Tensor['data']),
  };
}
