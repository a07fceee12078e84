import type { AttentionInputs } from '../contract/inputs.ts';
import type { DType } from '../contract/shape.ts';
import type { Parameters, Variant } from '../contract/variant.ts';
import { gatesQueries } from './gated/parameters.ts';
import { longest, normOf, selectionSize, vectorNorms } from './norms.ts';
import type { SelectionSize } from './norms.ts';
import type { HeadView } from './head-view.ts';
import type { ReferenceRow } from './reference.ts';

/** Unit roundoff: half the distance from 1 to the next larger number. */
export const unitRoundoff: Readonly<Record<DType, number>> = { f32: 2 ** -24, f16: 2 ** -11, bf16: 2 ** -8 };

/** Roundoff in which the headDim products of a logit may be added: f16 units do so, bf16 units add in f32. */
const dotRoundoff: Readonly<Record<DType, number>> = { f32: 2 ** -24, f16: 2 ** -11, bf16: 2 ** -24 };

/** The error of a weight too small for the dtype's normal range. */
const subnormalError: Readonly<Record<DType, number>> = { f32: 2 ** -150, f16: 2 ** -25, bf16: 2 ** -134 };

export interface RowBudget {
  /** The error ‖out − ref‖ that rounding alone is expected to stay below. */
  readonly allowance: number;
  /** A margin below this may be decided the other way by rounding; in the units of `row.margin`. 0 where nothing was dropped by score. */
  readonly selection: number;
}

/** What the budgets of a head's rows share. */
interface HeadNorms {
  readonly key: Float64Array;
  readonly longestKey: number;
  readonly value: Float64Array;
  readonly pool: Float64Array;
  readonly selection: SelectionSize;
}

/**
 * The rounding error to expect of each row, to first order, from the row itself. u is the dtype's unit roundoff,
 * u₃₂ = 2⁻²⁴ that of the sums over keys, which a kernel keeps in f32 whatever the dtype; errors of single operations
 * are independent, so they add in root mean square and a sum of t terms costs √t of them (Higham and Mary 2019).
 * - A logit: its headDim products, in size T_j = c‖q‖‖k_j‖, add up to |s_j| over partial sums of about |s_j| + T_j/√d, so
 *   it errs by u(T_j + √d|s_j|), and by u(T_j/√d + 2|s_j|) for a scaled query and a score in the dtype (6|s_j| where tanh caps it); exp adds
 *   u₃₂(4 + 2|s_j − max|) (the least that WGSL promises), a gate the error of γ times max(1, |s_j|). Their sum is η_j; a gate of the whole row is
 *   no independent error, so its parts add as they are.
 * - The output: ∂o/∂s_j = p_j(v_j − o), so the logits give √Σ(p_j(‖v_j‖ + ‖o‖)η_j)²; weights in the dtype 2u√Σp_j²‖v_j‖²;
 *   the m terms of the normaliser and of the weighted sum u₃₂(√m + 4)(‖o‖ + √Σp_j²‖v_j‖²); the stored result 2u‖o‖.
 */
export function rowBudgets(inputs: AttentionInputs, variant: Variant, parameters: Parameters): (reference: ReferenceRow) => RowBudget {
  const u = unitRoundoff[inputs.shape.dtype];
  let current: HeadView | undefined;
  let norms: HeadNorms | undefined;
  return (reference) => {
    if (reference.allowance !== undefined) return { allowance: reference.allowance, selection: 0 };
    if (norms === undefined || current !== reference.view) norms = headNorms(reference, inputs, { variant, parameters });
    current = reference.view;
    const isScored = reference.row.margin < Infinity || variant.name === 'gated';
    const scoreError = isScored ? u * norms.selection(reference.at.query) : 0;
    const gate = { error: variant.name === 'gated' ? scoreError : 0, ofRow: gatesQueries(parameters['form']) };
    return { allowance: allowanceOf(reference, norms, gate), selection: 2 * scoreError };
  };
}

function headNorms(reference: ReferenceRow, inputs: AttentionInputs, named: { variant: Variant; parameters: Parameters }): HeadNorms {
  const { view, rows, at } = reference;
  const { headDim } = view.shape;
  const key = vectorNorms(view.key, headDim);
  const longestKey = longest(key);
  let selection: SelectionSize | undefined;
  return {
    key,
    longestKey,
    value: vectorNorms(view.value, headDim),
    pool: Float64Array.from(rows.pools, ({ value }) => normOf(value, 0, headDim)),
    selection: (query) => (selection ??= selectionSize(view, inputs, { ...named, head: at.head, longestKey }))(query),
  };
}

/** The error to expect of a gate's γ, and whether one gate serves the whole row. */
interface GateError {
  readonly error: number;
  readonly ofRow: boolean;
}

function allowanceOf({ at, view, row, weights, output }: ReferenceRow, norms: HeadNorms, gate: GateError): number {
  const { keys, headDim, dtype } = view.shape;
  const outputNorm = normOf(output, 0, headDim);
  const logitError = logitErrors(view, norms, {
    query: at.query,
    largest: largestLogit(row.logit, row.length),
    gateError: gate.ofRow ? 0 : gate.error,
  });
  let logits = 0;
  let shared = 0;
  let spread = 0;
  let values = 0;
  for (let e = 0; e < row.length; e++) {
    const key = row.key[e]!;
    const value = key < keys ? norms.value[key]! : norms.pool[key - keys]!;
    const weight = weights[e]!;
    logits += (weight * (value + outputNorm) * logitError(key, row.logit[e]!)) ** 2;
    if (gate.ofRow) shared += weight * (value + outputNorm) * gate.error * Math.max(1, Math.abs(row.logit[e]!));
    spread += (weight * value) ** 2;
    values += value ** 2;
  }
  const u = unitRoundoff[dtype];
  const sums = unitRoundoff.f32 * (Math.sqrt(row.length) + 4) * (outputNorm + Math.sqrt(spread));
  const stored = 2 * u * Math.hypot(outputNorm, Math.sqrt(spread)) + subnormalError[dtype] * Math.sqrt(values);
  return Math.hypot(Math.sqrt(logits), shared, sums, stored);
}

/** η_j of a row: the error to expect of the logit of entry `key`. A pool's mean key is no longer than the longest key. */
function logitErrors(view: HeadView, norms: HeadNorms, at: { query: number; largest: number; gateError: number }) {
  const { keys, headDim, dtype } = view.shape;
  const root = Math.sqrt(headDim);
  const perKey = view.scale * normOf(view.query, at.query, headDim);
  return (key: number, logit: number): number => {
    const terms = perKey * (key < keys ? norms.key[key]! : norms.longestKey);
    const size = Math.abs(logit);
    const dot =
      dotRoundoff[dtype] * (terms + root * size) + unitRoundoff[dtype] * (terms / root + (view.softcap === undefined ? 2 : 6) * size);
    return dot + unitRoundoff.f32 * (4 + 2 * (at.largest - logit)) + at.gateError * Math.max(1, size);
  };
}

function largestLogit(logit: Float64Array, length: number): number {
  let largest = -Infinity;
  for (let e = 0; e < length; e++) largest = Math.max(largest, logit[e]!);
  return largest;
}
