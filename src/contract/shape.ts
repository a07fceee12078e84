/** Element types that cells are measured in. Inputs are rounded to it first, so every kernel sees the same values. */
export const dtypes = ['f32', 'f16', 'bf16'] as const;
export type DType = (typeof dtypes)[number];

/**
 * The size of one attention call. `query` and the output are `[batch, heads, queries, headDim]`, `key` and `value`
 * `[batch, kvHeads, keys, headDim]`; `heads` is a multiple of `kvHeads`, and head h reads key/value head
 * ⌊h·kvHeads/heads⌋. Causal: query i, at position i + (keys − queries), sees keys j ≤ that position.
 */
export interface Shape {
  readonly batch: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly queries: number;
  readonly keys: number;
  readonly headDim: number;
  readonly causal: boolean;
  readonly dtype: DType;
}

/** The position of query 0 on the keys' axis: `keys − queries`; negative where queries outnumber keys. */
export function positionOffset({ queries, keys }: Pick<Shape, 'queries' | 'keys'>): number {
  return keys - queries;
}

/** The key/value head that query head `head` reads. */
export function kvHeadOf({ heads, kvHeads }: Pick<Shape, 'heads' | 'kvHeads'>, head: number): number {
  return Math.floor((head * kvHeads) / heads);
}
