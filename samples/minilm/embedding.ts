import type { Tensors } from '../../src/contract/tensor.ts';
import { AttnswapError } from '../../src/contract/errors.ts';

/**
 * The sentence embedding among a model's outputs: the one that is float32 `[1, hidden]`.
 * @throws INVALID_DATA where there is none, or more than one
 */
export function sentenceEmbedding(outputs: Tensors): Float32Array {
  const found = Object.values(outputs).filter(({ type, dims }) => type === 'float32' && dims.length === 2 && dims[0] === 1);
  if (found.length === 1) return found[0]!.data as Float32Array;
  const got = Object.entries(outputs).map(([name, { type, dims }]) => `${name} ${type} [${dims.join(', ')}]`);
  throw new AttnswapError('INVALID_DATA', `MiniLM sample: the model gives ${got.join('; ')}, expected one output float32 [1, hidden]`, {
    hint: 'the sample is for models/paraphrase-minilm-l3.onnx: npm run fetch-models',
  });
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
