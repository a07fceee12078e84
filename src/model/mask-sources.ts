import type { Tensor } from '../contract/tensor.ts';
import { decodeHalf } from '../inputs/half-precision.ts';
import type { MaskRule } from './candidate.ts';
import type { GraphIndex } from './graph-index.ts';

/** A tensor's values as numbers. */
export function numbersOf({ type, data }: Tensor): Float32Array {
  if (type === 'float16') return Float32Array.from(data as Uint16Array, decodeHalf);
  return data instanceof BigInt64Array ? Float32Array.from(data, Number) : Float32Array.from(data as Float32Array);
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
  const oneRow = tensor.dims.every((size, axis) => size === 1 || (axis === tensor.dims.length - 1 && size === keys));
  const perElement = tensor.dims.every((size, axis, { length }) =>
    axis === 0 ? size === batch : axis === length - 1 ? size === keys : size === 1,
  );
  if (!(perElement && tensor.dims.length > 1) && !(oneRow && values.length === keys)) return undefined;
  const keeps = { keep: (value: number) => value !== 0, drop: (value: number) => value === 0, additive: (value: number) => value > -1000 }[
    rule
  ];
  return Uint8Array.from({ length: batch * keys }, (_, at) => (keeps(values[oneRow ? at % keys : at]!) ? 1 : 0));
}

/** What a fused operator's mask adds to its logits, `[batch, heads, queries, keys]`; undefined where its sizes do not fit. */
export function addedBy(
  tensor: Tensor,
  rule: MaskRule,
  shape: { batch: number; heads: number; queries: number; keys: number },
): Float32Array | undefined {
  const { batch, heads, queries, keys } = shape;
  const kept = rule === 'additive' ? undefined : keptBy(tensor, rule, shape);
  if (kept !== undefined) {
    const pairs = heads * queries * keys;
    return Float32Array.from({ length: batch * pairs }, (_, at) =>
      kept[Math.floor(at / pairs) * keys + (at % keys)] === 1 ? 0 : -Infinity,
    );
  }
  const full = [batch, heads, queries, keys];
  const dims = [...Array.from({ length: 4 - tensor.dims.length }, () => 1), ...tensor.dims];
  if (rule !== 'additive' || dims.length !== 4 || dims.some((size, axis) => size !== 1 && size !== full[axis])) return undefined;
  const values = numbersOf(tensor);
  const value = (at: number) => (tensor.type === 'bool' ? (values[at] === 0 ? -Infinity : 0) : values[at]!);
  return Float32Array.from({ length: batch * heads * queries * keys }, (_, at) => {
    const place = [
      Math.floor(at / (heads * queries * keys)),
      Math.floor(at / (queries * keys)) % heads,
      Math.floor(at / keys) % queries,
      at % keys,
    ];
    return value(place.reduce((offset, position, axis) => offset * dims[axis]! + (dims[axis] === 1 ? 0 : position), 0));
  });
}

/**
 * Tensors that a site's mask may come from: what meets its logits and what that is computed from, the farthest first; of the
 * model's inputs all, of what is computed the `most` nearest. What only gives its size is none of them.
 */
export function maskAncestors(index: GraphIndex, side: readonly string[], most = 64): string[] {
  const inputs = new Set(index.graph.input.map(({ name }) => name));
  const seen = new Set<string>(side.filter((tensor) => !index.isConstant(tensor)));
  // A set is walked in the order of insertion, what is added on the way included.
  for (const tensor of seen) {
    const node = index.producer(tensor);
    if (node === undefined || node.opType === 'Shape' || node.opType === 'Size') continue;
    for (const name of node.input) if (name !== '' && !index.isConstant(name)) seen.add(name);
  }
  const found = [...seen];
  return [...found.filter((tensor) => !inputs.has(tensor)).slice(0, most), ...found.filter((tensor) => inputs.has(tensor))].toReversed();
}
