import { AttnswapError } from '../contract/errors.ts';
import type { GateTensors } from '../contract/inputs.ts';
import type { Shape } from '../contract/shape.ts';
import { checkShape, maximumElements } from './check-shape.ts';
import { roundToDType } from './half-precision.ts';
import { RandomStream } from './random.ts';

/** The rank of a gate that none was chosen for: a quarter of the head's dimension, at least 1. */
export function defaultGateRank(headDim: number): number {
  return Math.max(1, Math.floor(headDim / 4));
}

/**
 * An untrained gate: `u` and `w` `[heads, headDim, rank]` normal with σ = 1/√headDim, `b` `[heads]` zero, all rounded to
 * `shape.dtype`.
 * @throws INVALID_SHAPE, INVALID_PARAMETERS where `rank` is no whole number ≥ 1
 */
export function drawGate(shape: Shape, rank: number | undefined, seed: number): GateTensors {
  checkShape(shape);
  const chosen = rank ?? defaultGateRank(shape.headDim);
  if (!Number.isSafeInteger(chosen) || chosen < 1 || shape.heads * shape.headDim * chosen > maximumElements) {
    throw new AttnswapError('INVALID_PARAMETERS', `gated: rank is ${chosen}, expected a whole number ≥ 1 that fits in memory`, {
      hint: `omit rank for its default, ${defaultGateRank(shape.headDim)}`,
    });
  }
  const draw = (name: string): Float32Array => {
    const tensor = new Float32Array(shape.heads * shape.headDim * chosen);
    return roundToDType(new RandomStream(seed, name).fillNormal(tensor, 1 / Math.sqrt(shape.headDim)), shape.dtype);
  };
  return { rank: chosen, u: draw('gate.u'), w: draw('gate.w'), b: new Float32Array(shape.heads) };
}
