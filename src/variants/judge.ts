import { AssertionError } from 'node:assert';
import type { AttentionInputs } from '../contract/inputs.ts';
import type { Parameters, Variant } from '../contract/variant.ts';
import { rowBudgets } from './budget.ts';
import { settleParameters } from './settle-parameters.ts';
import { visitRows } from './reference.ts';
import { sampleRows } from './sample-rows.ts';
import { JudgeTally, rowOf } from './judge-tally.ts';
import type { AmbiguityLimits, ExpectedOutput, ExpectedRow, Judgement } from './judge-tally.ts';

export type { Judgement } from './judge-tally.ts';

export interface JudgeOptions {
  /** Every row, or a seeded sample stratified by head and position, first and last queries always among them. */
  readonly rows: 'all' | { readonly count: number; readonly seed: number };
  /** Logits are exact in the dtype (small whole numbers): no tie is left to rounding, so every row is judged. */
  readonly exactLogits?: boolean;
  /** The largest share of rows whose selection rounding may change; 0.02 where absent. */
  readonly ambiguousShare?: number;
}

/**
 * Judges a kernel's output `[batch, heads, queries, headDim]` against the float64 reference: ‖out − ref‖/‖ref‖ over the
 * checked rows by twice the expected rounding error, and each row alone by eight times its own, so that one leaked key
 * among thousands of rows does not drown. The expectation follows from dtype, headDim and the row: {@link rowBudgets}.
 * Rows whose selection rounding may change are only required to be finite, and to be few. NaN and Inf never pass,
 * in checked rows or others.
 * @throws INVALID_SHAPE, INVALID_PARAMETERS
 */
export function judgeOutput(
  actual: Float32Array,
  inputs: AttentionInputs,
  variant: Variant,
  parameters: Parameters,
  options: JudgeOptions,
): Judgement {
  const tally = new JudgeTally(limitsFor(variant, parameters, options));
  if (tally.checkWhole(actual, inputs.shape))
    visitExpected(inputs, variant, parameters, options, (row) => tally.add(row, rowOf(actual, inputs.shape, row.at)));
  return tally.judgement();
}

/**
 * The first step of {@link judgeOutput}, before there is an output: what is expected of the checked rows. {@link judgeRows} is the second.
 * @throws INVALID_SHAPE, INVALID_PARAMETERS
 */
export function expectOutput(inputs: AttentionInputs, variant: Variant, parameters: Parameters, options: JudgeOptions): ExpectedOutput {
  const rows: ExpectedRow[] = [];
  visitExpected(inputs, variant, parameters, options, (row) => rows.push({ ...row, output: row.output.slice() }));
  return { rows, limits: limitsFor(variant, parameters, options) };
}

function limitsFor(variant: Variant, parameters: Parameters, { ambiguousShare = 0.02 }: JudgeOptions): AmbiguityLimits {
  // One block of queries is decided as one: a single near tie takes all its rows.
  return { share: ambiguousShare, decidedTogether: Number(settleParameters(variant, parameters)['block'] ?? 1) };
}

/** Streams what is expected of the checked rows; `output` is reused. */
function visitExpected(
  inputs: AttentionInputs,
  variant: Variant,
  parameters: Parameters,
  { rows, exactLogits }: JudgeOptions,
  visit: (row: ExpectedRow) => void,
): void {
  const settled = settleParameters(variant, parameters);
  const budgetOf = rowBudgets(inputs, variant, settled);
  visitRows(inputs, { variant, parameters: settled }, sampleRows(inputs.shape, rows), (reference) => {
    const { at, row, output } = reference;
    const { allowance, selection } = budgetOf(reference);
    visit({ at, output, allowance, ambiguous: exactLogits !== true && row.margin < selection });
  });
}

/**
 * {@link judgeOutput} for tests: returns the judgement where it is ok.
 * @throws AssertionError with the reason where it is not
 */
export function assertWithinBudget(
  actual: Float32Array,
  inputs: AttentionInputs,
  variant: Variant,
  parameters: Parameters,
  options: JudgeOptions,
): Judgement {
  const judgement = judgeOutput(actual, inputs, variant, parameters, options);
  if (judgement.ok) return judgement;
  throw new AssertionError({
    message: `${variant.name}: ${judgement.reason}`,
    actual: judgement.relative,
    expected: judgement.budget,
    operator: '<=',
  });
}
