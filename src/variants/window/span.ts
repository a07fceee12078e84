import type { Shape } from '../../contract/shape.ts';

/** The first key of the window around `position`: the last `w` positions when causal, else ⌊w/2⌋ before it. */
export function windowStart(shape: Shape, position: number, w: number): number {
  return Math.max(0, shape.causal ? position - w + 1 : position - Math.floor(w / 2));
}

/** One past the last key of the window around `position`. */
export function windowEnd(shape: Shape, position: number, w: number): number {
  return shape.causal ? position + 1 : Math.min(shape.keys, position + Math.floor(w / 2) + 1);
}
