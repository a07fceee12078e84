import type { Sizes } from './tensor-facts.ts';

/** `rank` sizes of which none is known. */
export function ofRank(rank: number): Sizes {
  return Array.from({ length: Math.max(rank, 0) }, () => undefined);
}

/** Sizes of a tensor that broadcasts all of `shapes`; not known where one of them is not. */
export function broadcast(shapes: readonly (Sizes | undefined)[]): Sizes | undefined {
  const known = shapes.flatMap((sizes) => (sizes === undefined ? [] : [sizes]));
  if (known.length < shapes.length) return undefined;
  const rank = known.reduce((most, sizes) => Math.max(most, sizes.length), 0);
  return Array.from({ length: rank }, (_, axis) => {
    const along = known.map((sizes) => (axis < rank - sizes.length ? 1 : sizes[axis - rank + sizes.length]));
    return along.find((size) => size !== undefined && size !== 1) ?? (along.includes(undefined) ? undefined : 1);
  });
}

/** Sizes of a matrix product with batch axes. */
export function product(left: Sizes | undefined, right: Sizes | undefined): Sizes | undefined {
  if (left === undefined || right === undefined || left.length === 0 || right.length === 0) return undefined;
  const batch = broadcast([left.slice(0, -2), right.slice(0, -2)])!;
  return [...batch, ...(left.length > 1 ? [left.at(-2)] : []), ...(right.length > 1 ? [right.at(-1)] : [])];
}

/** Sizes without `axes`, or with 1 there where they are kept. */
export function reduced(sizes: Sizes | undefined, axes: readonly number[], keep: boolean): Sizes | undefined {
  if (sizes === undefined) return undefined;
  const gone = new Set(axes.map((axis) => (axis < 0 ? axis + sizes.length : axis)));
  return sizes.flatMap((size, axis) => (!gone.has(axis) ? [size] : keep ? [1] : []));
}

/** Sizes with 1 put in at `axes` of the result. */
export function expanded(sizes: Sizes | undefined, axes: readonly number[]): Sizes | undefined {
  if (sizes === undefined) return undefined;
  const rank = sizes.length + axes.length;
  const added = new Set(axes.map((axis) => (axis < 0 ? axis + rank : axis)));
  let next = 0;
  return Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : sizes[next++]));
}

/** Sizes of tensors joined along an axis. */
export function joined(shapes: readonly (Sizes | undefined)[], axis: number): Sizes | undefined {
  const known = shapes.find((sizes) => sizes !== undefined);
  if (known === undefined) return undefined;
  const along = axis < 0 ? axis + known.length : axis;
  const lengths = shapes.map((sizes) => sizes?.[along]);
  const sum = lengths.reduce((total, length) => (total === undefined || length === undefined ? undefined : total + length), 0);
  return known.map((_, at) => (at === along ? sum : shapes.map((sizes) => sizes?.[at]).find((size) => size !== undefined)));
}

/** Sizes of a part, from `starts` to `ends` along `axes`, step 1; undefined bounds leave that axis's size unknown. */
export function sliced(
  sizes: Sizes | undefined,
  bounds: { readonly starts: readonly number[]; readonly ends: readonly number[]; readonly axes: readonly number[] } | undefined,
): Sizes | undefined {
  if (sizes === undefined || bounds === undefined) return sizes === undefined ? undefined : ofRank(sizes.length);
  const result = [...sizes];
  for (const [index, given] of bounds.axes.entries()) {
    const axis = given < 0 ? given + sizes.length : given;
    const size = sizes[axis];
    const clamp = (bound: number): number => Math.min(Math.max(bound < 0 ? bound + (size ?? 0) : bound, 0), size ?? 0);
    result[axis] = size === undefined ? undefined : Math.max(0, clamp(bounds.ends[index] ?? 0) - clamp(bounds.starts[index] ?? 0));
  }
  return result;
}
