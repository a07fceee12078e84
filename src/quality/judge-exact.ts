import type { DriftSummary, OutputDriftSummary } from './drift-summary.ts';
import { figureText, itemsText, tokensText } from './judgement.ts';
import type { QualityJudgement } from './judgement.ts';

export interface ExactLimits {
  /** The largest relative error of any item. */
  readonly tolerance: number;
  /** The largest share of labels that may change, as those next to a tie do. */
  readonly labels: number;
  /** Lengths of the items, tokens: what was compared. */
  readonly lengths: readonly number[];
}

/**
 * Judges drift where only the order of sums changed. No item speaks for another, so each must stay within what rounding explains: one
 * beyond it is a loss without measure, and is named.
 */
export function judgeExact(
  { outputs, items, of = items }: Extract<DriftSummary, { state: 'measured' }>,
  limits: ExactLimits,
): QualityJudgement {
  const explained = `rounding explains up to ${limits.tolerance.toExponential()}`;
  const worst = outputs.reduce((a, b) => (shareOf(b, limits) > shareOf(a, limits) ? b : a));
  const share = shareOf(worst, limits);
  const among = `${itemsText({ items, of })} (${tokensText(limits.lengths)})`;
  if (share > 1) {
    const at = `item ${worst.farthestItem} of ${among}`;
    const reason =
      worst.kind === 'labels'
        ? `an exact replacement must not change labels, but ${figureText(100 * relabelled(worst))} % change (at most ${figureText(100 * limits.labels)} % allowed); farthest: ${at}`
        : `an exact replacement, but the outputs differ by ${figureText(worst.largestRelativeError!)} of their size at ${at}; ${explained}`;
    return { outcome: 'regression', reason, marginsLost: Infinity };
  }
  const largest = Math.max(0, ...outputs.map(({ largestRelativeError }) => largestRelativeError ?? 0));
  const labels = Math.max(0, ...outputs.map(relabelled));
  const changed = labels === 0 ? '' : `, and ${figureText(100 * labels)} % of labels change`;
  const reason = `an exact replacement: the outputs of ${items === 1 ? '' : 'all '}${among} differ by at most ${figureText(largest)} of their size (${explained})${changed}`;
  return { outcome: 'pass', reason, marginsLost: share };
}

/** The share of labels that change; 0 for other outputs. */
function relabelled({ kind, agreement }: OutputDriftSummary): number {
  return kind === 'labels' ? 1 - (agreement?.mean ?? 0) : 0;
}

/** What an output uses of its limit; beyond 1 it is broken. */
function shareOf(output: OutputDriftSummary, { tolerance, labels }: ExactLimits): number {
  return output.kind === 'labels' ? relabelled(output) / labels : (output.largestRelativeError ?? 0) / tolerance;
}
