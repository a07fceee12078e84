import type { AttentionInputs, BiasTensor } from '../contract/inputs.ts';
import { removedBelow } from '../contract/inputs.ts';
import { kvHeadOf, positionOffset } from '../contract/shape.ts';
import type { Shape } from '../contract/shape.ts';
import type { Row } from '../contract/variant.ts';

/** One query head of one batch element, with the key/value head that it reads: views, no copies. */
export interface HeadView {
  readonly shape: Shape;
  readonly scale: number;
  /** The position of query 0 on the keys' axis. */
  readonly offset: number;
  /** `[queries, headDim]`. */
  readonly query: Float32Array;
  /** `[keys, headDim]`. */
  readonly key: Float32Array;
  /** `[keys, headDim]`. */
  readonly value: Float32Array;
  /** `[keys]`: 0 where a key is padding. Absent: all are kept. */
  readonly mask: Uint8Array | undefined;
  /** What is added to the logit of a pair. Absent: nothing. */
  readonly bias: ((query: number, key: number) => number) | undefined;
  /** Caps the scaled logits. Absent: nothing does. */
  readonly softcap: number | undefined;
  /** The logit of the head's attention sink. Absent: it has none. */
  readonly sink: number | undefined;
}

export function viewHead(inputs: AttentionInputs, at: { batch: number; head: number }): HeadView {
  const { shape } = inputs;
  const queryAt = (at.batch * shape.heads + at.head) * shape.queries * shape.headDim;
  const keyAt = (at.batch * shape.kvHeads + kvHeadOf(shape, at.head)) * shape.keys * shape.headDim;
  const keysEnd = keyAt + shape.keys * shape.headDim;
  return {
    shape,
    scale: inputs.scale,
    offset: positionOffset(shape),
    query: inputs.query.subarray(queryAt, queryAt + shape.queries * shape.headDim),
    key: inputs.key.subarray(keyAt, keysEnd),
    value: inputs.value.subarray(keyAt, keysEnd),
    mask: inputs.mask?.subarray(at.batch * shape.keys, (at.batch + 1) * shape.keys),
    bias: inputs.bias && biasAt(inputs.bias, at),
    softcap: inputs.softcap,
    sink: inputs.sinks?.[at.head],
  };
}

function biasAt({ dims, values }: BiasTensor, at: { batch: number; head: number }): (query: number, key: number) => number {
  const [perBatch = 0, perHead = 0, perQuery = 0, perKey = 0] = dims.map((size, axis) =>
    size === 1 ? 0 : dims.slice(axis + 1).reduce((product, each) => product * each, 1),
  );
  const from = at.batch * perBatch + at.head * perHead;
  return (query, key) => values[from + query * perQuery + key * perKey]!;
}

/** One past the last key that causality lets `query` see; padding aside. */
export function allowedEnd(shape: Shape, query: number): number {
  return shape.causal ? Math.max(0, Math.min(shape.keys, query + positionOffset(shape) + 1)) : shape.keys;
}

/** Appends the keys of [start, end) that neither padding nor the bias removes, with their logits. The caller keeps the range within what `query` may see. */
export function appendKeys(view: HeadView, query: number, start: number, end: number, row: Row): void {
  const { mask, bias } = view;
  const { key, logit } = row;
  const lowest = removedBelow[view.shape.dtype];
  const first = row.length;
  let length = first;
  for (let j = start; j < end; j++) {
    if (mask !== undefined && mask[j] === 0) continue;
    const added = bias === undefined ? 0 : bias(query, j);
    if (added <= lowest) continue;
    key[length] = j;
    logit[length++] = added;
  }
  row.length = length;
  addLogits(view, query, row, first);
}

/**
 * Adds c·q_i·k_j, capped where there is a cap, to each entry's logit from `first` on. Each product is accumulated in float64 on its own, in
 * order of the dimensions; four entries are taken at once, as one sum alone waits for each of its additions.
 */
function addLogits(view: HeadView, query: number, row: Row, first: number): void {
  const { query: queries, key: keys } = view;
  const { headDim } = view.shape;
  const q = query * headDim;
  let e = first;
  for (; e + 4 <= row.length; e += 4) {
    const a = row.key[e]! * headDim;
    const b = row.key[e + 1]! * headDim;
    const c = row.key[e + 2]! * headDim;
    const d = row.key[e + 3]! * headDim;
    let [sumA, sumB, sumC, sumD] = [0, 0, 0, 0];
    for (let m = 0; m < headDim; m++) {
      const component = queries[q + m]!;
      sumA += component * keys[a + m]!;
      sumB += component * keys[b + m]!;
      sumC += component * keys[c + m]!;
      sumD += component * keys[d + m]!;
    }
    row.logit[e]! += scaled(view, sumA);
    row.logit[e + 1]! += scaled(view, sumB);
    row.logit[e + 2]! += scaled(view, sumC);
    row.logit[e + 3]! += scaled(view, sumD);
  }
  for (; e < row.length; e++) {
    const k = row.key[e]! * headDim;
    let sum = 0;
    for (let m = 0; m < headDim; m++) sum += queries[q + m]! * keys[k + m]!;
    row.logit[e]! += scaled(view, sum);
  }
}

/** A product of query and key, scaled and capped. */
function scaled({ scale, softcap }: HeadView, product: number): number {
  const logit = scale * product;
  return softcap === undefined ? logit : softcap * Math.tanh(logit / softcap);
}

/** Empties a row before it is filled. */
export function clearRow(row: Row, sink = -Infinity): void {
  row.length = 0;
  row.margin = Infinity;
  row.sink = sink;
}
