import type { AttentionInputs } from '../contract/inputs.ts';
import { kvHeadOf, positionOffset } from '../contract/shape.ts';
import type { HeadRows, Pool } from '../contract/variant.ts';
import { vectorNorms } from '../variants/norms.ts';

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
  /** `[keys, headDim]`; those of pools are their own. */
  readonly value: Float32Array;
  /** ‖v‖ of each slot, `[keys + pools]`. */
  readonly norm: Float64Array;
  /** Unpadded keys before key j, `[keys + 1]`. */
  readonly unpaddedBefore: Int32Array;
}

function valuesOf({ shape, value }: AttentionInputs, at: { batch: number; head: number }): Float32Array {
  const size = shape.keys * shape.headDim;
  const start = (at.batch * shape.kvHeads + kvHeadOf(shape, at.head)) * size;
  return value.subarray(start, start + size);
}

function normsOf(value: Float32Array, pools: readonly Pool[], headDim: number): Float64Array {
  const ofKeys = vectorNorms(value, headDim);
  const norm = new Float64Array(ofKeys.length + pools.length);
  norm.set(ofKeys);
  for (const [index, pool] of pools.entries()) norm[ofKeys.length + index] = vectorNorms(pool.value, headDim)[0]!;
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
  const value = valuesOf(inputs, at);
  return {
    ...at,
    keys: shape.keys,
    headDim: shape.headDim,
    offset: positionOffset(shape),
    pools: rows.pools,
    value,
    norm: normsOf(value, rows.pools, shape.headDim),
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
