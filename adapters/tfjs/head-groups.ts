import { kvHeadOf } from '../../src/contract/shape.ts';
import { cutOf } from './cut.ts';
import type { KernelTensors, Site, Tensor } from './kernel.ts';

/**
 * Heads that go through a kernel together: one head of one batch element, or all of them. On backends whose product of
 * single matrices is the fast one (WebAssembly: ten times), heads go one by one.
 */
export interface HeadGroup {
  /** Matrices in the group. */
  readonly size: number;
  /** The key/value head of each matrix. */
  readonly kvHeads: readonly number[];
  /** `[size, queries, headDim]`. */
  readonly query: Tensor;
  /** `[size, keys, headDim]`. */
  readonly key: Tensor;
  /** `[size, keys, headDim]`. */
  readonly value: Tensor;
  /** f32 `[size, keys]` or, of one head, `[1, keys]`: 1 keeps a key. */
  readonly mask: Tensor | undefined;
  /** Of each matrix: `[size, headDim, rank]` twice, and `[size, 1, 1]`. */
  readonly gate: { readonly u: Tensor; readonly w: Tensor; readonly b: Tensor } | undefined;
}

/** Heads [first, end) of every batch element, in groups whose results {@link joinGroups} joins again. */
export function headGroups(site: Site, tensors: KernelTensors, first = 0, end = site.shape.heads): HeadGroup[] {
  if (site.heads === 'all') return [allHeads(site, tensors, first, end)];
  const { tf, shape } = site;
  const { batch, heads, kvHeads, queries, keys } = shape;
  const query = cutHeads(site, tensors.query, batch * heads, queries);
  const [key, value] = [cutHeads(site, tensors.key, batch * kvHeads, keys), cutHeads(site, tensors.value, batch * kvHeads, keys)];
  const groups: HeadGroup[] = [];
  for (let element = 0; element < batch; element++) {
    const mask = tensors.mask && tf.slice(tensors.mask, [element, 0], [1, keys]);
    for (let head = first; head < end; head++) {
      const kvHead = kvHeadOf(shape, head);
      const shared = element * kvHeads + kvHead;
      const gate = tensors.gate && headGate(site, tensors.gate, head);
      groups.push({ size: 1, kvHeads: [kvHead], query: query(element * heads + head), key: key(shared), value: value(shared), mask, gate });
    }
  }
  return groups;
}

/** One of `count` heads as `[1, rows, headDim]`; a head that is asked for again is the same tensor. */
function cutHeads(site: Site, tensor: Tensor, count: number, rows: number): (head: number) => Tensor {
  const { tf, shape } = site;
  const cut = cutOf(site, tf.reshape(tensor, [1, count * rows, shape.headDim]));
  const known = new Map<number, Tensor>();
  return (head) => {
    const found = known.get(head) ?? cut.rows(head * rows, rows);
    known.set(head, found);
    return found;
  };
}

function headGate({ tf, shape }: Site, { u, w, b, rank }: NonNullable<KernelTensors['gate']>, head: number) {
  const weights = (tensor: Tensor) => tf.slice(tensor, [head, 0, 0], [1, shape.headDim, rank]);
  return { u: weights(u), w: weights(w), b: tf.reshape(tf.slice(b, [head], [1]), [1, 1, 1]) };
}

function allHeads({ tf, shape }: Site, tensors: KernelTensors, first: number, end: number): HeadGroup {
  const { batch, heads, kvHeads, queries, keys, headDim } = shape;
  const count = end - first;
  const size = batch * count;
  const whole = count === heads;
  const query = whole ? tensors.query : tf.slice(tensors.query, [0, first, 0, 0], [batch, count, queries, headDim]);
  const source = Array.from({ length: count }, (_, head) => kvHeadOf(shape, first + head));
  const perHead = (tensor: Tensor) =>
    tf.reshape(whole && heads === kvHeads ? tensor : tf.gather(tensor, tf.tensor1d(source, 'int32'), 1), [size, keys, headDim]);
  const mask = tensors.mask && tf.reshape(tf.tile(tf.expandDims(tensors.mask, 1), [1, count, 1]), [size, keys]);
  const { gate } = tensors;
  return {
    size,
    kvHeads: Array.from({ length: batch }, () => source).flat(),
    query: tf.reshape(query, [size, queries, headDim]),
    key: perHead(tensors.key),
    value: perHead(tensors.value),
    mask,
    gate: gate && {
      u: tf.tile(gate.u, [batch, 1, 1]),
      w: tf.tile(gate.w, [batch, 1, 1]),
      b: tf.tile(tf.reshape(gate.b, [heads, 1, 1]), [batch, 1, 1]),
    },
  };
}

/** Each group's `[size, queries, headDim]` → `[batch, heads, queries, headDim]`. */
export function joinGroups({ tf, shape }: Site, outputs: readonly Tensor[], heads = shape.heads): Tensor {
  return tf.reshape(joinTensors(tf, outputs, 0), [shape.batch, heads, shape.queries, shape.headDim]);
}

export function joinTensors(tf: Site['tf'], tensors: readonly Tensor[], axis: number): Tensor {
  return tensors.length === 1 ? tensors[0]! : tf.concat([...tensors], axis);
}
