import type { AttentionInputs } from '../contract/inputs.ts';
import { kvHeadOf, positionOffset } from '../contract/shape.ts';
import type { HeadRows, Pool } from '../contract/variant.ts';

/**
 * What the rows of one head are measured against. A slot is a key j, or `keys` + the index of a pooled block.
 */
export interface HeadFrame {
  readonly batch: number;
  readonly head: number;
  readonly keys: number;
  readonly headDim: number;
  /** The position of query 0 on the keys' axis. */
  readonly offset: number;
  readonly pools: readonly Pool[];
  /** `[keys + pools, headDim]`, float64. */
  readonly value: Float64Array;
  /** ‖v‖ of each slot, `[keys + pools]`. */
  readonly norm: Float64Array;
  /** Unpadded keys before key j, `[keys + 1]`. */
  readonly unpaddedBefore: Int32Array;
}

function gatherValues(inputs: AttentionInputs, pools: readonly Pool[], at: { batch: number; head: number }): Float64Array {
  const { shape, value } = inputs;
  const size = shape.keys * shape.headDim;
  const start = (at.batch * shape.kvHeads + kvHeadOf(shape, at.head)) * size;
  const gathered = new Float64Array(size + pools.length * shape.headDim);
  gathered.set(value.subarray(start, start + size));
  for (const [index, pool] of pools.entries()) gathered.set(pool.value, size + index * shape.headDim);
  return gathered;
}

function normsOf(value: Float64Array, headDim: number): Float64Array {
  const norm = new Float64Array(value.length / headDim);
  for (let slot = 0; slot < norm.length; slot += 1) {
    let square = 0;
    for (let m = slot * headDim; m < (slot + 1) * headDim; m += 1) square += value[m]! * value[m]!;
    norm[slot] = Math.sqrt(square);
  }
  return norm;
}

function countUnpadded(inputs: AttentionInputs, batch: number): Int32Array {
  const { keys } = inputs.shape;
  const before = new Int32Array(keys + 1);
  for (let j = 0; j < keys; j += 1) {
    before[j + 1] = before[j]! + (inputs.mask === undefined || inputs.mask[batch * keys + j] !== 0 ? 1 : 0);
  }
  return before;
}

export function frameHead(inputs: AttentionInputs, rows: HeadRows, at: { batch: number; head: number }): HeadFrame {
  const { shape } = inputs;
  const value = gatherValues(inputs, rows.pools, at);
  return {
    ...at,
    keys: shape.keys,
    headDim: shape.headDim,
    offset: positionOffset(shape),
    pools: rows.pools,
    value,
    norm: normsOf(value, shape.headDim),
    unpaddedBefore: countUnpadded(inputs, at.batch),
  };
}

/** Unpadded keys of [start, end), which may reach past either end. */
export function unpaddedWithin(frame: HeadFrame, start: number, end: number): number {
  const from = Math.max(0, start);
  const to = Math.min(frame.keys, end);
  return to <= from ? 0 : frame.unpaddedBefore[to]! - frame.unpaddedBefore[from]!;
}

/** The share of a slot's mass that falls on positions [start, end): a pooled block's tokens share it equally. */
export function shareWithin(frame: HeadFrame, slot: number, start: number, end: number): number {
  if (slot < frame.keys) return slot >= start && slot < end ? 1 : 0;
  const pool = frame.pools[slot - frame.keys]!;
  return unpaddedWithin(frame, Math.max(start, pool.start), Math.min(end, pool.end)) / pool.tokens;
}
