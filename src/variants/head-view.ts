import type { AttentionInputs, BiasTensor } from '../contract/inputs.ts';
import { removedBelow } from '../contract/inputs.ts';
import { kvHeadOf, positionOffset } from '../contract/shape.ts';
import type { Shape } from '../contract/shape.ts';
import type { Row } from '../contract/variant.ts';
import { KeyProducts } from './key-products.ts';

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
  readonly products: KeyProducts;
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
  const query = inputs.query.subarray(queryAt, queryAt + shape.queries * shape.headDim);
  const key = inputs.key.subarray(keyAt, keysEnd);
  return {
    shape,
    scale: inputs.scale,
    offset: positionOffset(shape),
    query,
    key,
    products: new KeyProducts(query, key, shape.headDim),
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
  if (start >= end) return;
  const { mask, bias, scale, softcap } = view;
  const { key, logit } = row;
  const lowest = removedBelow[view.shape.dtype];
  const products = view.products.of(query, start, end);
  let length = row.length;
  for (let j = start; j < end; j++) {
    if (mask !== undefined && mask[j] === 0) continue;
    const added = bias === undefined ? 0 : bias(query, j);
    if (added <= lowest) continue;
    const scaled = scale * products[j]!;
    key[length] = j;
    logit[length++] = added + (softcap === undefined ? scaled : softcap * Math.tanh(scaled / softcap));
  }
  row.length = length;
}

/** Empties a row before it is filled. */
export function clearRow(row: Row, sink = -Infinity): void {
  row.length = 0;
  row.margin = Infinity;
  row.sink = sink;
}
