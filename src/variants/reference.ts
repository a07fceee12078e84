import { AttnswapError } from '../contract/errors.ts';
import type { AttentionInputs } from '../contract/inputs.ts';
import type { Shape } from '../contract/shape.ts';
import type { HeadRows, Parameters, Row, Specification } from '../contract/variant.ts';
import { viewHead } from './head-view.ts';
import type { HeadView } from './head-view.ts';

/** Where a row of the output is. */
export interface RowAddress {
  readonly batch: number;
  readonly head: number;
  readonly query: number;
}

/** An empty row whose buffers hold `capacity` entries: keys + pools.length suffices. */
export function createRow(capacity: number): Row {
  return { length: 0, margin: Infinity, key: new Int32Array(capacity), logit: new Float64Array(capacity) };
}

/** The softmax of a row's logits in float64, into weights[0 … row.length). */
export function softmaxRow(row: Row, weights: Float64Array): void {
  let max = -Infinity;
  for (let e = 0; e < row.length; e++) max = Math.max(max, row.logit[e]!);
  let sum = 0;
  for (let e = 0; e < row.length; e++) {
    const weight = Math.exp(row.logit[e]! - max);
    weights[e] = weight;
    sum += weight;
  }
  for (let e = 0; e < row.length; e++) weights[e]! /= sum;
}

/** The row's weighted sum of values in float64, into output[0 … headDim); zeros for an empty row. */
export function weighValues(view: HeadView, rows: HeadRows, row: Row, weights: Float64Array, output: Float64Array): void {
  const { keys, headDim } = view.shape;
  output.fill(0);
  for (let e = 0; e < row.length; e++) {
    const key = row.key[e]!;
    const values = key < keys ? view.value : rows.pools[key - keys]!.value;
    const at = key < keys ? key * headDim : 0;
    const weight = weights[e]!;
    for (let m = 0; m < headDim; m++) output[m]! += weight * values[at + m]!;
  }
}

/** One row in float64. All buffers are reused from row to row, and `view` and `rows` by all rows of a head in turn. */
export interface ReferenceRow {
  /** Place in the list of rows asked for. */
  readonly index: number;
  readonly at: RowAddress;
  readonly view: HeadView;
  readonly rows: HeadRows;
  readonly row: Row;
  /** `[row.length]`, then stale. */
  readonly weights: Float64Array;
  /** `[headDim]`. */
  readonly output: Float64Array;
}

/**
 * Streams the float64 reference over `wanted` rows, head by head, in O(keys) memory a head.
 * @throws INVALID_SHAPE where the variant is not defined for the inputs
 */
export function visitRows(
  inputs: AttentionInputs,
  { variant, parameters }: { variant: Specification; parameters: Parameters },
  wanted: readonly RowAddress[],
  visit: (reference: ReferenceRow) => void,
): void {
  const refusal = refusalOf(inputs, variant, parameters);
  if (refusal !== undefined) throw new AttnswapError('INVALID_SHAPE', refusal);
  const output = new Float64Array(inputs.shape.headDim);
  for (const indices of groupByHead(wanted, inputs.shape.heads)) {
    const head = wanted[indices[0]!]!;
    const view = viewHead(inputs, head);
    const rows = variant.rows(inputs, parameters, head);
    const row = createRow(inputs.shape.keys + rows.pools.length);
    const weights = new Float64Array(row.logit.length);
    for (const index of indices) {
      const at = wanted[index]!;
      rows.fill(at.query, row);
      softmaxRow(row, weights);
      weighValues(view, rows, row, weights, output);
      visit({ index, at, view, rows, row, weights, output });
    }
  }
}

/** Why a variant is not defined for some inputs, by their shape or a bias; undefined where it is. */
export function refusalOf(
  { shape, bias }: Pick<AttentionInputs, 'shape' | 'bias'>,
  variant: Specification,
  parameters: Parameters,
): string | undefined {
  return variant.refuses(parameters, shape) ?? (bias !== undefined && variant.takesBias !== true ? biasRefusal(variant.name) : undefined);
}

/** Why a variant or kernel, by name, does not serve inputs with a bias. */
export function biasRefusal(name: string): string {
  return `${name} takes no bias on the logits`;
}

function groupByHead(wanted: readonly RowAddress[], heads: number): Iterable<readonly number[]> {
  return Map.groupBy(wanted.keys(), (index) => wanted[index]!.batch * heads + wanted[index]!.head).values();
}

/** Every row of the output, in the order of `[batch, heads, queries]`. */
export function allRows({ batch, heads, queries }: Shape): RowAddress[] {
  return Array.from({ length: batch * heads * queries }, (_, index) => {
    const headIndex = Math.floor(index / queries);
    return { batch: Math.floor(headIndex / heads), head: headIndex % heads, query: index % queries };
  });
}

/**
 * What the variant gives in float64: `[batch, heads, queries, headDim]`, or `[rows.length, headDim]` for chosen rows.
 * A row that sees nothing is zeros.
 * @throws INVALID_SHAPE where the variant is not defined for the inputs' shape
 */
export function referenceOutput(
  inputs: AttentionInputs,
  variant: Specification,
  parameters: Parameters,
  rows: readonly RowAddress[] = allRows(inputs.shape),
): Float64Array {
  const { headDim } = inputs.shape;
  const all = new Float64Array(rows.length * headDim);
  visitRows(inputs, { variant, parameters }, rows, ({ index, output }) => all.set(output, index * headDim));
  return all;
}
