import type { Tensor } from '../../contract/tensor.ts';
import { decodeHalf } from '../../inputs/half-precision.ts';
import { readsBehind } from '../graph/graph-index.ts';
import type { GraphIndex } from '../graph/graph-index.ts';

/**
 * How a mask says which keys are kept: `keep`: non-zero; `drop`: zero; `additive`: what is added is not hugely negative; `lengths`:
 * the first so many; `last`: those up to an index.
 */
export const maskRules = ['keep', 'drop', 'additive', 'lengths', 'last'] as const;
export type MaskRule = (typeof maskRules)[number];

/** A tensor's values as numbers; its own data where they are that. */
export function numbersOf({ type, data }: Tensor): Float32Array {
  if (type === 'float16') return Float32Array.from(data as Uint16Array, decodeHalf);
  if (data instanceof BigInt64Array) return Float32Array.from(data, Number);
  return data instanceof Float32Array ? data : new Float32Array(data);
}

/** Whether two tensors hold the same bytes. */
export function isSameTensor(one: Tensor | undefined, other: Tensor | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  const bytes = ({ data }: Tensor) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return one.type === other.type && one.dims.join() === other.dims.join() && bytes(one).equals(bytes(other));
}

/**
 * The keys that a mask keeps, `[batch, keys]`, by a rule; undefined where the tensor is not one value a key (`lengths` and
 * `last`: one a batch element).
 */
export function keptBy(tensor: Tensor, rule: MaskRule, { batch, keys }: { batch: number; keys: number }): Uint8Array | undefined {
  const values = numbersOf(tensor);
  if (rule === 'lengths' || rule === 'last') {
    if (values.length !== batch) return undefined;
    const end = rule === 'last' ? 1 : 0;
    return Uint8Array.from({ length: batch * keys }, (_, at) => (at % keys < values[Math.floor(at / keys)]! + end ? 1 : 0));
  }
  if (!isPerKey(tensor.dims, { batch, keys })) return undefined;
  const oneRow = values.length === keys;
  const keeps = { keep: (value: number) => value !== 0, drop: (value: number) => value === 0, additive: (value: number) => value > -1000 }[
    rule
  ];
  return Uint8Array.from({ length: batch * keys }, (_, at) => (keeps(values[oneRow ? at % keys : at]!) ? 1 : 0));
}

/** Whether a tensor has one value for each key: `[keys]` or `[batch, keys]`, with axes of 1 between and before. */
export function isPerKey(dims: readonly number[], { batch, keys }: { batch: number; keys: number }): boolean {
  if (dims.length === 0 || dims.at(-1) !== keys) return false;
  return dims.slice(0, -1).every((size, axis) => size === 1 || (axis === 0 && size === batch));
}

/** What a fused operator's mask adds to the logit of a pair. */
export type AddedAt = (batch: number, head: number, row: number, column: number) => number;

/** What a fused operator's mask adds to its logits; undefined where its sizes do not fit. */
export function addedBy(
  tensor: Tensor,
  rule: MaskRule,
  shape: { batch: number; heads: number; queries: number; keys: number },
): AddedAt | undefined {
  const { batch, heads, queries, keys } = shape;
  const kept = rule === 'additive' ? undefined : keptBy(tensor, rule, shape);
  if (kept !== undefined) return (b, _h, _i, j) => (kept[b * keys + j] === 1 ? 0 : -Infinity);
  const full = [batch, heads, queries, keys];
  const dims = [...Array.from({ length: 4 - tensor.dims.length }, () => 1), ...tensor.dims];
  if (rule !== 'additive' || dims.length !== 4 || dims.some((size, axis) => size !== 1 && size !== full[axis])) return undefined;
  const values = numbersOf(tensor);
  const [perBatch = 0, perHead = 0, perRow = 0, perColumn = 0] = dims.map((size, axis) =>
    size === 1 ? 0 : dims.slice(axis + 1).reduce((product, each) => product * each, 1),
  );
  const isBool = tensor.type === 'bool';
  return (b, h, i, j) => {
    const value = values[b * perBatch + h * perHead + i * perRow + j * perColumn]!;
    return isBool ? (value === 0 ? -Infinity : 0) : value;
  };
}

/**
 * Tensors that a site's mask may come from: what meets its logits and what that is computed from, the nearest first, at most `most`, and
 * all of the model's inputs. What only gives its size is none of them.
 */
export function maskAncestors(index: GraphIndex, side: readonly string[], most = 64): string[] {
  const inputs = new Set(index.graph.input.map(({ name }) => name));
  const seen = new Set<string>(side.filter((tensor) => !index.isConstant(tensor)));
  // A set is walked in the order of insertion, what is added on the way included.
  for (const tensor of seen) {
    const node = index.producer(tensor);
    if (node === undefined || node.opType === 'Shape' || node.opType === 'Size') continue;
    for (const name of readsBehind(node, tensor)) if (!index.isConstant(name)) seen.add(name);
  }
  const found = [...seen].filter((tensor) => !/^(Split|Concat)?(To|From)?Sequence|^Optional/.test(index.producer(tensor)?.opType ?? ''));
  return [...found.filter((tensor) => !inputs.has(tensor)).slice(0, most), ...found.filter((tensor) => inputs.has(tensor))];
}
