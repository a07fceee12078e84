import type { AttentionInputs } from '../contract/inputs.ts';
import type { Shape } from '../contract/shape.ts';
import { checkShape } from './check-shape.ts';
import { roundToDType } from './half-precision.ts';
import { RandomStream } from './random.ts';

/**
 * Independent standard normal query `[batch, heads, queries, headDim]`, key and value `[batch, kvHeads, keys, headDim]`,
 * rounded to `shape.dtype`. Attention over them is nearly uniform: it flatters dense attention and ruins every sparse one.
 * @throws INVALID_SHAPE
 */
export function drawGaussian(shape: Shape, seed: number): AttentionInputs {
  checkShape(shape);
  const draw = (name: string, heads: number, length: number): Float32Array => {
    const tensor = new Float32Array(shape.batch * heads * length * shape.headDim);
    return roundToDType(new RandomStream(seed, `gaussian/${name}`).fillNormal(tensor), shape.dtype);
  };
  return {
    shape,
    query: draw('query', shape.heads, shape.queries),
    key: draw('key', shape.kvHeads, shape.keys),
    value: draw('value', shape.kvHeads, shape.keys),
    scale: 1 / Math.sqrt(shape.headDim),
  };
}
