import * as ort from 'onnxruntime-node';
import type { ModelRequest, PreparedModel, Unsupported } from '../../src/contract/adapter.ts';
import { AttnswapError } from '../../src/contract/errors.ts';
import { RandomStream } from '../../src/inputs/random.ts';
import { findBackend, statusOf } from './backends.ts';

/** Token ids are drawn below this: every vocabulary has as many. */
const vocabulary = 100;

type Metadata = ort.InferenceSession.ValueMetadata;

/**
 * An ONNX model with drawn inputs: normal floats, whole numbers below 100, ones where the name says mask, zeros where it says type; and
 * true for booleans. The same seed gives the same inputs, so that two versions of a model get the same.
 * @throws INVALID_INPUTS for a symbolic dimension without a size, or an input that cannot be drawn
 */
export async function prepareModel(request: ModelRequest): Promise<PreparedModel | Unsupported> {
  const backend = findBackend(request.backend);
  const status = await statusOf(backend);
  if (!status.available) return { unsupported: `${request.backend}: ${status.reason}; ${status.mend}` };
  const threads = request.threads === undefined ? {} : { intraOpNumThreads: request.threads };
  const session = await ort.InferenceSession.create(request.model, {
    executionProviders: backend.providers,
    logSeverityLevel: 3,
    ...threads,
  });
  const feeds = Object.fromEntries(session.inputMetadata.map((input) => [input.name, drawInput(input, request)]));
  let outputs: ort.InferenceSession.OnnxValueMapType | undefined;
  return {
    run: async () => {
      outputs = await session.run(feeds);
    },
    fault: () => {
      if (outputs === undefined) return 'no call has ended, so there are no outputs';
      const bad = Object.entries(outputs).find(
        ([, { data }]) => data instanceof Float32Array && data.some((value) => !Number.isFinite(value)),
      );
      return bad === undefined ? undefined : `output ${bad[0]} holds values that are not finite`;
    },
  };
}

function drawInput(input: Metadata, { model, dimensions, seed }: ModelRequest): ort.Tensor {
  if (!input.isTensor) throw new AttnswapError('INVALID_INPUTS', `${model}: input ${input.name} is not a tensor`);
  const shape = input.shape.map((size) => sizeOf(size, input.name, model, dimensions));
  const count = shape.reduce((product, size) => product * size, 1);
  const stream = new RandomStream(seed, input.name);
  if (input.type === 'float32')
    return new ort.Tensor(
      'float32',
      Float32Array.from({ length: count }, () => stream.normal()),
      shape,
    );
  if (input.type === 'bool') return new ort.Tensor('bool', new Uint8Array(count).fill(1), shape);
  const whole = () => (/mask/i.test(input.name) ? 1 : /type/i.test(input.name) ? 0 : Math.floor(vocabulary * stream.uniform()));
  if (input.type === 'int64')
    return new ort.Tensor(
      'int64',
      BigInt64Array.from({ length: count }, () => BigInt(whole())),
      shape,
    );
  if (input.type === 'int32') return new ort.Tensor('int32', Int32Array.from({ length: count }, whole), shape);
  throw new AttnswapError(
    'INVALID_INPUTS',
    `${model}: input ${input.name} is ${input.type}, and only float32, int32, int64 and bool are drawn`,
  );
}

function sizeOf(size: number | string, input: string, model: string, dimensions: ModelRequest['dimensions']): number {
  const known = typeof size === 'number' && size > 0 ? size : dimensions[String(size)];
  if (known !== undefined) return known;
  throw new AttnswapError(
    'INVALID_INPUTS',
    `${model}: input ${input} has the symbolic dimension ${JSON.stringify(String(size))}, and no size for it was given`,
    {
      hint: `--dim ${String(size)}=128`,
    },
  );
}
