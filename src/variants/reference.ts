import { AttnswapError } from '../contract/errors.ts';
import type { AttentionInputs } from '../contract/inputs.ts';
import type { Shape } from '../contract/shape.ts';
import type { HeadAddress, HeadOutputs, HeadRows, Parameters, Row, Specification } from '../contract/variant.ts';
import { clearRow, viewHead } from './head-view.ts';
import type { HeadView } from './head-view.ts';

/** Where a row of the output is. */
export interface RowAddress {
  readonly batch: number;
  readonly head: number;
  readonly query: number;
}

/** An empty row whose buffers hold `capacity` entries: keys + pools.length suffices. */
export function createRow(capacity: number): Row {
  return { length: 0, margin: Infinity, sink: -Infinity, key: new Int32Array(capacity), logit: new Float64Array(capacity) };
}

/** The softmax of a row's logits in float64, into weights[0 … row.length). A sink takes the rest of the mass. */
export function softmaxRow(row: Row, weights: Float64Array): void {
  let max = row.length === 0 ? -Infinity : row.sink;
  for (let e = 0; e < row.length; e++) max = Math.max(max, row.logit[e]!);
  let sum = row.sink === -Infinity ? 0 : Math.exp(row.sink - max);
  for (let e = 0; e < row.length; e++) {
    const weight = Math.exp(row.logit[e]! - max);
    weights[e] = weight;
    sum += weight;
  }
  for (let e = 0; e < row.length; e++) weights[e]! /= sum;
}

/** The row's weighted sum of values in float64, in order of its entries, into output[0 … headDim); zeros for an empty row. */
export function weighValues(view: HeadView, rows: HeadRows, row: Row, weights: Float64Array, output: Float64Array): void {
  const { keys, headDim } = view.shape;
  const isKey = (e: number): boolean => row.key[e]! < keys;
  output.fill(0);
  for (let e = 0; e < row.length;) {
    if (e + 4 <= row.length && isKey(e) && isKey(e + 1) && isKey(e + 2) && isKey(e + 3)) {
      addFour(output, view.value, row, weights, e);
      e += 4;
      continue;
    }
    const key = row.key[e]!;
    const values = key < keys ? view.value : rows.pools[key - keys]!.value;
    const at = key < keys ? key * headDim : 0;
    const weight = weights[e++]!;
    for (let m = 0; m < headDim; m++) output[m]! += weight * values[at + m]!;
  }
}

/** Adds the values of four entries from `e` on, one after another, while reading and writing the sums once. */
function addFour(output: Float64Array, value: Float32Array, { key }: Row, weights: Float64Array, e: number): void {
  const headDim = output.length;
  const [wa, wb, wc, wd] = [weights[e]!, weights[e + 1]!, weights[e + 2]!, weights[e + 3]!];
  const [a, b, c, d] = [key[e]! * headDim, key[e + 1]! * headDim, key[e + 2]! * headDim, key[e + 3]! * headDim];
  for (let m = 0; m < headDim; m++) {
    output[m] = output[m]! + wa * value[a + m]! + wb * value[b + m]! + wc * value[c + m]! + wd * value[d + m]!;
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
  /** Of a variant without weights of pairs, whose row is empty: the error that rounding alone is expected to stay below. */
  readonly allowance?: number;
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
  for (const indices of groupByHead(wanted, inputs.shape.heads)) {
    const first = wanted[indices[0]!]!;
    const head = { view: viewHead(inputs, first), indices, wanted };
    if (variant.rows !== undefined) visitWeighed(variant.rows(inputs, parameters, first), head, visit);
    else {
      const queries = indices.map((index) => wanted[index]!.query);
      visitOutputs(variant.outputs(inputs, parameters, first, queries), head, visit);
    }
  }
}

interface WantedHead {
  readonly view: HeadView;
  /** Places in `wanted`. */
  readonly indices: readonly number[];
  readonly wanted: readonly RowAddress[];
}

function visitWeighed(rows: HeadRows, { view, indices, wanted }: WantedHead, visit: (reference: ReferenceRow) => void): void {
  const output = new Float64Array(view.shape.headDim);
  const row = createRow(view.shape.keys + rows.pools.length);
  const weights = new Float64Array(row.logit.length);
  for (const index of indices) {
    const at = wanted[index]!;
    rows.fill(at.query, row);
    softmaxRow(row, weights);
    weighValues(view, rows, row, weights, output);
    visit({ index, at, view, rows, row, weights, output });
  }
}

function visitOutputs(found: HeadOutputs, { view, indices, wanted }: WantedHead, visit: (reference: ReferenceRow) => void): void {
  const { headDim } = view.shape;
  const nothing = {
    rows: { pools: [], fill: (_query: number, row: Row) => clearRow(row) },
    row: createRow(0),
    weights: new Float64Array(),
  };
  for (const [place, index] of indices.entries()) {
    const output = found.output.subarray(place * headDim, (place + 1) * headDim);
    visit({ index, at: wanted[index]!, view, ...nothing, output, allowance: found.allowance[place]! });
  }
}

/** The rows of a variant that weighs pairs. @throws UNSUPPORTED where it weighs none */
export function weighedRows(variant: Specification, inputs: AttentionInputs, parameters: Parameters, at: HeadAddress): HeadRows {
  if (variant.rows !== undefined) return variant.rows(inputs, parameters, at);
  throw new AttnswapError('UNSUPPORTED', `${variant.name}: ${weightlessReason}`);
}

/** Why what is measured by weights cannot be told of a variant that has none. */
export const weightlessReason = 'it keeps a running state and weighs no pairs, so waste is not defined';

/** Why a variant is not defined for some inputs, by their shape or what changes their logits; undefined where it is. */
export function refusalOf(
  inputs: Pick<AttentionInputs, 'shape' | 'bias' | 'softcap' | 'sinks'>,
  variant: Specification,
  parameters: Parameters,
): string | undefined {
  return variant.refuses(parameters, inputs.shape) ?? logitRefusal(variant.name, variant, inputs);
}

/** Why a variant or kernel, by name, does not serve inputs with a bias, a soft cap or sinks; undefined where it takes what they have. */
export function logitRefusal(
  name: string,
  takes: Pick<Specification, 'takesBias' | 'takesSoftcap' | 'takesSinks'>,
  { bias, softcap, sinks }: Partial<Record<'bias' | 'softcap' | 'sinks', unknown>>,
): string | undefined {
  if (bias !== undefined && takes.takesBias !== true) return `${name} takes no bias on the logits`;
  if (softcap !== undefined && takes.takesSoftcap !== true) return `${name} takes no soft cap on the logits`;
  return sinks !== undefined && takes.takesSinks !== true ? `${name} takes no attention sinks` : undefined;
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
