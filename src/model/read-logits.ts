import type { Shape } from '../contract/shape.ts';
import { kvHeadOf } from '../contract/shape.ts';
import { median } from '../statistics/order-statistics.ts';

/** One attention of one small run, as the model computed it. */
export interface Observation {
  /** `causal` is not known yet, and false. */
  readonly shape: Shape;
  /** `[batch, heads, queries, headDim]`. */
  readonly query: Float32Array;
  /** `[batch, kvHeads, keys, headDim]`. */
  readonly key: Float32Array;
  readonly value: Float32Array;
  /** `[batch, heads, queries, headDim]`. */
  readonly output: Float32Array;
  /** What entered the softmax, `[batch, heads, queries, keys]`; absent for fused operators. */
  readonly logits?: Float32Array;
  /** Of fused operators: what their masks add, same sizes; absent where nothing is added. */
  readonly added?: Float32Array;
}

/** Below this a logit is masked: exporters write −10 000, the type's lowest number, or −∞. */
export const maskedBelow = -1000;

/** Which pairs a site lets through, `[batch, queries, keys]`, and the factor of its logits; and why it is not attention as defined where it is not. */
export type Reading =
  | { readonly scale: number; readonly allowed: Uint8Array; readonly problem?: string }
  | { readonly problem: string; readonly allowed?: undefined };

/**
 * Reads scale and mask off the logits: the scale is the median of logit ÷ q·k over the pairs that are not masked, set to
 * 1/√headDim or 1 where it is that within rounding; what then remains must be nothing.
 */
export function readLogits(observation: Observation, declaredScale: number | undefined): Reading {
  const { shape, logits, added } = observation;
  if (logits === undefined) return allowedBy(added, shape, declaredScale ?? 1 / Math.sqrt(shape.headDim), () => 0);
  const products = productsOf(observation);
  const scale = readScale(products, logits, shape);
  return allowedBy(logits, shape, scale, (at) => scale * products[at]!);
}

function allowedBy(sums: Float32Array | undefined, shape: Shape, scale: number, expected: (at: number) => number): Reading {
  const { batch, heads, queries, keys, dtype } = shape;
  const allowed = new Uint8Array(batch * queries * keys).fill(1);
  if (sums === undefined) return { scale, allowed };
  const tolerance = dtype === 'f32' ? 1e-4 : 2e-2;
  let most = 0;
  for (let at = 0; at < sums.length; at++) {
    const sum = sums[at]!;
    const pair = at % (queries * keys);
    const element = Math.floor(at / (heads * queries * keys));
    const firstHead = Math.floor(at / (queries * keys)) % heads === 0;
    const slot = element * queries * keys + pair;
    const masked = Number.isNaN(sum) ? undefined : sum < maskedBelow;
    if (masked === undefined) return { problem: 'its logits are not numbers' };
    if (firstHead) allowed[slot] = masked ? 0 : 1;
    else if ((allowed[slot] === 0) !== masked) return { problem: 'its heads have different masks' };
    const excess = sum - expected(at);
    if (!masked && Math.abs(excess) > tolerance * Math.max(1, Math.abs(sum))) most = Math.max(most, Math.abs(excess));
  }
  if (most === 0) return { scale, allowed };
  return {
    scale,
    allowed,
    problem: `its logits are more than a scaled product and a mask: up to ${most.toPrecision(3)} more (a position bias, or a cap)`,
  };
}

/** q·k of every pair in float64, `[batch, heads, queries, keys]`. */
function productsOf({ shape, query, key }: Observation): Float64Array {
  const { batch, heads, kvHeads, queries, keys, headDim } = shape;
  const products = new Float64Array(batch * heads * queries * keys);
  let at = 0;
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < queries; i++) {
        const queryAt = ((b * heads + h) * queries + i) * headDim;
        for (let j = 0; j < keys; j++) {
          const keyAt = ((b * kvHeads + kvHeadOf(shape, h)) * keys + j) * headDim;
          let sum = 0;
          for (let m = 0; m < headDim; m++) sum += query[queryAt + m]! * key[keyAt + m]!;
          products[at++] = sum;
        }
      }
    }
  }
  return products;
}

function readScale(products: Float64Array, logits: Float32Array, { headDim, dtype }: Shape): number {
  const open = [...products.keys()].filter((at) => logits[at]! > maskedBelow && products[at] !== 0);
  if (open.length === 0) return 1 / Math.sqrt(headDim);
  const large = median(open.map((at) => Math.abs(products[at]!)));
  const scale = median(open.filter((at) => Math.abs(products[at]!) >= large).map((at) => logits[at]! / products[at]!));
  const rounding = dtype === 'f32' ? 1e-5 : 2e-3;
  return [1 / Math.sqrt(headDim), 1, 1 / headDim].find((usual) => Math.abs(scale / usual - 1) < rounding) ?? scale;
}

/** What a mask may be, of the two that variants know, with the keys it keeps, `[batch, keys]`; undefined where it is not that. */
export interface MaskReadings {
  readonly full: Uint8Array | undefined;
  readonly causal: Uint8Array | undefined;
}

/** Whether the pairs let through are those of a padding mask alone, or of one under causality, or both (a single query). */
export function readMask(allowed: Uint8Array, { batch, queries, keys }: Shape): MaskReadings {
  const fits = (causal: boolean): Uint8Array | undefined => {
    const keep = new Uint8Array(batch * keys);
    const visible = (i: number, j: number) => !causal || j <= i + keys - queries;
    const each = (visit: (pair: number, slot: number, i: number, j: number) => void) => {
      for (let b = 0; b < batch; b++)
        for (let i = 0; i < queries; i++) for (let j = 0; j < keys; j++) visit((b * queries + i) * keys + j, b * keys + j, i, j);
    };
    each((pair, slot) => {
      if (allowed[pair] === 1) keep[slot] = 1;
    });
    let agrees = true;
    each((pair, slot, i, j) => {
      if (allowed[pair] !== (visible(i, j) ? keep[slot] : 0)) agrees = false;
    });
    return agrees ? keep : undefined;
  };
  return { full: fits(false), causal: fits(true) };
}
