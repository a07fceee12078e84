import type { AttentionInputs } from '../contract/inputs.ts';
import type { HeadRows, Parameters, Row, Variant } from '../contract/variant.ts';
import { viewHead } from './head-view.ts';

/** A row of the output. */
export interface RowAddress {
  readonly batch: number;
  readonly head: number;
  readonly query: number;
}

/** Buffers for a row of up to `capacity` entries. */
export function createRow(capacity: number): Row {
  return { length: 0, margin: Infinity, key: new Int32Array(capacity), logit: new Float64Array(capacity) };
}

/** softmax over the row's entries in float64, into `weight[0 … length)`. */
export function softmaxRow(row: Row, weight: Float64Array): void {
  let largest = -Infinity;
  for (let e = 0; e < row.length; e++) largest = Math.max(largest, row.logit[e]!);
  let sum = 0;
  for (let e = 0; e < row.length; e++) sum += weight[e] = Math.exp(row.logit[e]! - largest);
  for (let e = 0; e < row.length; e++) weight[e]! /= sum;
}

/** One head of the reference, evaluated row by row. */
export interface HeadReference {
  readonly row: Row;
  /** The weights of the row last evaluated. */
  readonly weight: Float64Array;
  /** Evaluates a row into `output` `[headDim]`; a row that sees nothing gives zeros. */
  evaluate(query: number, output: Float64Array): void;
  /** Norm of the value of entry e: of the key's, or of the pool's mean. */
  valueNorm(entry: number): number;
}

export function headReference(inputs: AttentionInputs, rows: HeadRows, at: { batch: number; head: number }): HeadReference {
  const { keys, headDim } = inputs.shape;
  const { value } = viewHead(inputs, at);
  const row = createRow(keys + rows.pools.length);
  const weight = new Float64Array(keys + rows.pools.length);
  const valueOf = (key: number) => (key < keys ? value.subarray(key * headDim, (key + 1) * headDim) : rows.pools[key - keys]!.value);
  return {
    row,
    weight,
    evaluate(query, output) {
      rows.fill(query, row);
      softmaxRow(row, weight);
      output.fill(0);
      for (let e = 0; e < row.length; e++) {
        const vector = valueOf(row.key[e]!);
        for (let m = 0; m < headDim; m++) output[m]! += weight[e]! * vector[m]!;
      }
    },
    valueNorm: (entry) => Math.hypot(...valueOf(row.key[entry]!)),
  };
}

/** The float64 output of every row, `[batch, heads, queries, headDim]`. */
export function referenceOutput(inputs: AttentionInputs, variant: Variant, parameters: Parameters): Float64Array {
  const { batch, heads, queries, headDim } = inputs.shape;
  const output = new Float64Array(batch * heads * queries * headDim);
  for (let b = 0; b < batch; b++) {
    for (let head = 0; head < heads; head++) {
      const at = { batch: b, head };
      const reference = headReference(inputs, variant.rows(inputs, parameters, at), at);
      for (let query = 0; query < queries; query++) {
        const row = ((b * heads + head) * queries + query) * headDim;
        reference.evaluate(query, output.subarray(row, row + headDim));
      }
    }
  }
  return output;
}
