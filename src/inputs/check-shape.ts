import { AttnswapError } from '../contract/errors.ts';
import { dtypes } from '../contract/shape.ts';
import type { Shape } from '../contract/shape.ts';

/** Elements of one tensor at most: 2³¹ f32 values are 8 GiB. */
export const maximumElements = 0x8000_0000;

/**
 * Refuses a shape for which no tensors exist.
 * @throws INVALID_SHAPE where a size is not a whole number ≥ 1, heads is not a multiple of kvHeads, the dtype is unknown,
 * or a tensor exceeds {@link maximumElements}.
 */
export function checkShape(shape: Shape): void {
  for (const size of ['batch', 'heads', 'kvHeads', 'queries', 'keys', 'headDim'] as const) {
    if (Number.isSafeInteger(shape[size]) && shape[size] >= 1) continue;
    throw new AttnswapError('INVALID_SHAPE', `shape: ${size} is ${String(shape[size])}, expected a whole number ≥ 1`);
  }
  if (shape.heads % shape.kvHeads !== 0) {
    throw new AttnswapError('INVALID_SHAPE', `shape: ${shape.heads} heads are not a multiple of ${shape.kvHeads} kvHeads`, {
      hint: 'choose kvHeads that divides heads; kvHeads = heads means no grouping',
    });
  }
  if (!dtypes.includes(shape.dtype)) {
    throw new AttnswapError('INVALID_SHAPE', `shape: dtype is ${String(shape.dtype)}, expected one of ${dtypes.join(', ')}`);
  }
  const largest = Math.max(shape.heads * shape.queries, shape.kvHeads * shape.keys) * shape.batch * shape.headDim;
  if (largest <= maximumElements) return;
  throw new AttnswapError('INVALID_SHAPE', `shape: a tensor would have ${largest} elements, expected at most ${maximumElements}`, {
    hint: 'lower batch, heads or the length',
  });
}
