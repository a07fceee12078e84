import type { Tensor, Tensors } from '../../src/contract/tensor.ts';
import { AttnswapError } from '../../src/contract/errors.ts';

/**
 * The sentence embedding among a model's outputs: the one that is float32 `[1, hidden]`; of a model that has but states of tokens, float32
 * `[1, tokens, hidden]`, their mean.
 * @throws INVALID_DATA where there is none, or more than one
 */
export function sentenceEmbedding(outputs: Tensors): Float32Array {
  const withAxes = (count: number) =>
    Object.values(outputs).filter(({ type, dims }) => type === 'float32' && dims.length === count && dims[0] === 1);
  const [found, states] = [withAxes(2), withAxes(3)];
  if (found.length === 1) return found[0]!.data as Float32Array;
  if (found.length === 0 && states.length === 1) return meanOf(states[0]!);
  const got = Object.entries(outputs).map(([name, { type, dims }]) => `${name} ${type} [${dims.join(', ')}]`);
  throw new AttnswapError(
    'INVALID_DATA',
    `MiniLM sample: the model gives ${got.join('; ')}, expected one output float32 [1, hidden] or [1, tokens, hidden]`,
    {
      hint: 'the sample is for models/paraphrase-minilm-l3.onnx: npm run fetch-models',
    },
  );
}

function meanOf({ dims, data }: Tensor): Float32Array {
  const [, tokens = 0, hidden = 0] = dims;
  const mean = new Float32Array(hidden);
  (data as Float32Array).forEach((value, at) => (mean[at % hidden]! += value / tokens));
  return mean;
}

/** Cosine of the angle between two embeddings. */
export function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, squareA, squareB] = [0, 0, 0];
  for (let index = 0; index < a.length; index += 1) {
    dot += a[index]! * b[index]!;
    squareA += a[index]! ** 2;
    squareB += b[index]! ** 2;
  }
  return dot / Math.sqrt(squareA * squareB);
}
