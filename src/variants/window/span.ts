import type { Shape } from '../../contract/shape.ts';
import type { Span } from '../../contract/span.ts';

/** The last `w` positions when causal, else ⌊w/2⌋ on each side. */
export function windowSpan(w: number, causal: boolean): Span {
  return causal ? { left: w - 1, right: 0 } : { left: Math.floor(w / 2), right: Math.floor(w / 2) };
}

/** The first key of the window around `position`. */
export function windowStart(shape: Shape, position: number, w: number): number {
  return Math.max(0, position - windowSpan(w, shape.causal).left);
}

/** One past the last key of the window around `position`. */
export function windowEnd(shape: Shape, position: number, w: number): number {
  return Math.min(shape.keys, position + windowSpan(w, shape.causal).right + 1);
}
