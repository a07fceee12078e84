import type { OpenModel } from '../../contract/adapter.ts';
import type { Tensor, Tensors } from '../../contract/tensor.ts';
import { tensorOf } from '../../inputs/model-inputs.ts';
import { numbersOf } from '../sites/mask-sources.ts';
import type { Cache, CachePart, Role } from './cache.ts';
import { beginsWith, firstRows, joinRows, lastRow } from './rows.ts';

/** One call of a model. @throws what the runtime says */
export async function call(model: OpenModel, feeds: Tensors): Promise<Tensors> {
  const bound = model.bind(feeds);
  await bound.run();
  return bound.outputs();
}

/** New tokens of a call. */
export function idsIn({ roles }: Cache, feeds: Tensors): Tensor {
  return feeds[Object.keys(roles).find((name) => roles[name] === 'ids')!]!;
}

/** How many new tokens a call has. */
export function tokensIn(cache: Cache, feeds: Tensors): number {
  return idsIn(cache, feeds).dims.at(-1)!;
}

/** The inputs of a call with its first `count` new tokens alone. */
export function firstTokens(cache: Cache, feeds: Tensors, count: number): Tensors {
  const left = tokensIn(cache, feeds) - count;
  return mapRoles(cache, feeds, (tensor, role) => {
    if (role === 'switch' || role === 'start') return tensor;
    if (role === 'count') return shifted(tensor, -left);
    const axis = tensor.dims.length - 1;
    return firstRows(tensor, axis, tensor.dims[axis]! - left);
  });
}

/**
 * The inputs of the call that follows another: what it handed on as the cache, and new tokens behind it. `ids` are one per batch element,
 * `[batch, 1]`.
 */
export function nextCall(cache: Cache, feeds: Tensors, outputs: Tensors, ids: Tensor): Tensors {
  const followed = mapRoles(cache, feeds, (tensor, role) => {
    if (role === 'ids') return { ...tensor, dims: ids.dims, data: ids.data };
    if (role === 'switch') return tensorOf(tensor.type, tensor.dims, [1]);
    if (role === 'count') return shifted(tensor, 1);
    if (role === 'start') return shifted(tensor, tokensIn(cache, feeds));
    const axis = tensor.dims.length - 1;
    const last = lastRow(tensor, axis);
    if (role === 'mask') return joinRows(tensor, last, axis);
    return role === 'positions' ? shifted(last, 1) : last;
  });
  return { ...followed, ...Object.fromEntries(cache.parts.map((part) => [part.input, handedOn(part, feeds, outputs)])) };
}

/** A branch that leaves a part of the cache alone gives nothing of it: then it stays. */
function handedOn({ input, output }: CachePart, feeds: Tensors, outputs: Tensors): Tensor {
  const given = outputs[output]!;
  return given.data.length === 0 ? feeds[input]! : given;
}

/** What a call handed on as the cache, without its last token. */
export function withoutLast({ parts }: Cache, outputs: Tensors): Tensors {
  const cut = parts.map(({ output, axis }) => {
    const tensor = outputs[output]!;
    return [output, axis === null ? tensor : firstRows(tensor, axis, tensor.dims[axis]! - 1)];
  });
  return { ...outputs, ...Object.fromEntries(cut) };
}

/** The id that comes first among the largest logits of the last new token, of each batch element: `[batch, 1]`. */
export function greedyIds(cache: Cache, feeds: Tensors, outputs: Tensors): Tensor {
  const chosen = lastLogits(cache, outputs).map(largestAt);
  return tensorOf(idsIn(cache, feeds).type, [chosen.length, 1], chosen);
}

/** The first of the largest values. */
export function largestAt(values: ArrayLike<number>): number {
  let top = 0;
  for (let at = 1; at < values.length; at++) if (values[at]! > values[top]!) top = at;
  return top;
}

/** The logits of the last new token, of each batch element. */
export function lastLogits({ logits }: Cache, outputs: Tensors): Float32Array[] {
  const tensor = outputs[logits!]!;
  const [batch = 1, , words = 1] = tensor.dims;
  const all = numbersOf(lastRow(tensor, 1));
  return Array.from({ length: batch }, (_, at) => all.subarray(at * words, (at + 1) * words));
}

/** The cache after a call, of all batch elements. */
export function cacheSizeOf({ parts }: Cache, outputs: Tensors): { readonly bytes: number; readonly bytesPerToken: number } {
  const sizes = parts.map(({ output, axis, elementBytes }) => {
    const { data, dims } = outputs[output]!;
    const bytes = data.length * elementBytes;
    return { bytes, perToken: axis === null ? 0 : bytes / Math.max(1, dims[axis]!) };
  });
  const sum = (of: (size: (typeof sizes)[number]) => number) => sizes.reduce((total, size) => total + of(size), 0);
  return { bytes: sum(({ bytes }) => bytes), bytesPerToken: sum(({ perToken }) => perToken) };
}

/** Why the cache that a call handed on is not what it was given with new tokens behind it, byte for byte; undefined where it is. */
export function cacheFault(cache: Cache, feeds: Tensors, outputs: Tensors): string | undefined {
  const lost = cache.parts.find(({ input, output, axis }) => {
    if (axis === null) return false;
    const [given, handed] = [feeds[input]!, outputs[output]];
    // A buffer has room behind what it holds.
    const count = given.dims[axis] === handed?.dims[axis] ? cachedIn(cache, feeds) : given.dims[axis];
    return handed === undefined || !beginsWith(handed, given, axis, count);
  });
  return lost && `the output ${lost.output} does not begin with what the input ${lost.input} holds, byte for byte`;
}

/** Tokens that every batch element has in its cache, by where new ones begin, or by its mask. */
function cachedIn(cache: Cache, feeds: Tensors): number {
  const { roles } = cache;
  const inputOf = (wanted: Role) => feeds[Object.keys(roles).find((name) => roles[name] === wanted) ?? ''];
  const numbers = (tensor: Tensor) => Array.from(tensor.data as ArrayLike<number | bigint>, Number);
  const [start, mask] = [inputOf('start'), inputOf('mask')];
  if (start !== undefined) return Math.min(...numbers(start));
  if (mask === undefined) return 0;
  const [batch = 1, total = 0] = mask.dims;
  const kept = numbers(mask);
  const counts = Array.from({ length: batch }, (_, at) => kept.slice(at * total, (at + 1) * total).reduce((sum, value) => sum + value, 0));
  return Math.max(0, Math.min(...counts) - tokensIn(cache, feeds));
}

function mapRoles({ roles }: Cache, feeds: Tensors, change: (tensor: Tensor, role: Role) => Tensor): Tensors {
  return Object.fromEntries(
    Object.entries(feeds).map(([name, tensor]) => {
      const role = roles[name];
      return [name, role === undefined ? tensor : change(tensor, role)];
    }),
  );
}

function shifted({ type, dims, data }: Tensor, by: number): Tensor {
  return tensorOf(
    type,
    dims,
    Array.from(data as ArrayLike<number | bigint>, (value) => Number(value) + by),
  );
}
