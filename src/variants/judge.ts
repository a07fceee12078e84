import { AssertionError } from 'node:assert';
import type { AttentionInputs } from '../contract/inputs.ts';
import type { Parameters, Variant } from '../contract/variant.ts';
import { rowBudgets } from './budget.ts';
import { settleParameters } from './settle-parameters.ts';
import { visitRows } from './reference.ts';
import { sampleRows } from './sample-rows.ts';
import { JudgeTally } from './judge-tally.ts';
import type { Judgement } from './judge-tally.ts';

export { unitRoundoff } from './budget.ts';
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
  const { shape } = inputs;
  const settled = settleParameters(variant, parameters);
  const tally = new JudgeTally({
    ambiguousShare: options.ambiguousShare ?? 0.02,
    // One block of queries is decided as one: a single near tie takes all its rows.
    rowsDecidedTogether: Number(settled['block'] ?? 1),
  });
  tally.checkWhole(actual, shape);
  if (actual.length !== shape.batch * shape.heads * shape.queries * shape.headDim) return tally.judgement();
  const budgetOf = rowBudgets(inputs, variant, settled);
  visitRows(inputs, { variant, parameters: settled }, sampleRows(shape, options.rows), (reference) => {
    const { at, row, output } = reference;
    const from = ((at.batch * shape.heads + at.head) * shape.queries + at.query) * shape.headDim;
    const { allowance, selection } = budgetOf(reference);
    const ambiguous = options.exactLogits !== true && row.margin < selection;
    tally.add(at, actual.subarray(from, from + shape.headDim), output, { allowance, ambiguous });
  });
  return tally.judgement();
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
