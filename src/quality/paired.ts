import { AttnswapError } from '../contract/errors.ts';
import { meanOf } from '../statistics/mean.ts';
import type { Interval } from '../statistics/resample.ts';
import { itemsNeeded } from './bounded-mean.ts';
import { itemMean, watchingShare } from './item-mean.ts';
import type { IntervalMethod, Watched } from './item-mean.ts';
import { figureText, itemsText } from './judgement.ts';
import type { QualityJudgement, QualityOutcome } from './judgement.ts';

/** One-sided error of a judgement: the chance to pass a loss as large as the margin, or to call a smaller one a regression. */
export const qualityTail = 0.05;

/** Task scores, one an item, higher is better, both models over the same items in the same order. */
export interface PairedScores {
  readonly base: readonly number[];
  readonly new: readonly number[];
}

export interface PairedOptions {
  readonly seed: number;
  /** What a score can be. Unless given, 0 to 1 where all scores are within it, and unknown otherwise. */
  readonly range?: Interval | undefined;
  /** Where scores were watched item by item: how many items there are. Fewer scores than that mean that enough was shown. */
  readonly of?: number | undefined;
}

/** The mean difference new − base, in the score's unit. */
export interface PairedEstimate {
  readonly items: number;
  /** Where they were watched one by one: of how many. Fewer than that were enough. */
  readonly of?: number;
  readonly base: number;
  readonly new: number;
  readonly difference: number;
  /** Each end for itself holds with 95 %: what a one-sided claim rests on. */
  readonly oneSided: Interval;
  /** Both ends together hold with 95 %: what is shown. */
  readonly twoSided: Interval;
  readonly method: IntervalMethod;
  /** Items where the new score is higher, lower, and the same. */
  readonly won: number;
  readonly lost: number;
  readonly tied: number;
  /** What a score can be, given or taken; null where unknown. */
  readonly range: Interval | null;
}

/**
 * The mean paired difference over independent items; see `itemMean` for the intervals. Equal scores on every item do not make an interval of
 * no width: with scores of 0 to 1, twelve such items leave the mean within ±.22 (one-sided 95 %).
 * @throws INVALID_DATA on no items, different counts, scores that are not finite, or outside `range`
 */
export function estimatePaired(scores: PairedScores, { seed, range, of }: PairedOptions): PairedEstimate {
  check(scores, range);
  const known = range ?? rangeOf([...scores.base, ...scores.new]);
  const reach = known === null ? null : known.high - known.low;
  const differences = scores.new.map((score, index) => difference(score, scores.base[index]!));
  const watched: Watched | undefined = of === undefined ? undefined : differences.length < of ? 'stopped' : 'ended';
  const options = { seed, watched, range: reach === null ? null : { low: -reach, high: reach } };
  const oneSided = itemMean(differences, { ...options, tail: qualityTail });
  const twoSided = itemMean(differences, { ...options, tail: qualityTail / 2 });
  const count = (holds: (difference: number) => boolean) => differences.filter(holds).length;
  return {
    items: differences.length,
    ...(of !== undefined && { of }),
    base: meanOf(scores.base),
    new: meanOf(scores.new),
    difference: oneSided.mean,
    oneSided: { low: oneSided.low, high: oneSided.high },
    twoSided: { low: twoSided.low, high: twoSided.high },
    method: oneSided.method,
    won: count((difference) => difference > 0),
    lost: count((difference) => difference < 0),
    tied: count((difference) => difference === 0),
    range: known,
  };
}

/**
 * Non-inferiority at a margin in the score's unit: `pass` where the one-sided 95 % bound of the loss is below the margin, `regression` where
 * the loss is shown to exceed it, `inconclusive` otherwise. A loss that is shown but smaller than the margin passes.
 * @throws INVALID_DATA on a margin that is not above 0
 */
export function judgePaired(estimate: PairedEstimate, margin: number): QualityJudgement {
  if (!(margin > 0 && margin < Infinity)) {
    throw new AttnswapError('INVALID_DATA', `quality margin: got ${margin}, expected a finite number above 0`, {
      hint: 'a loss of exactly zero cannot be shown; allow a small loss, such as 0.01',
    });
  }
  const { low, high } = estimate.oneSided;
  const outcome = low > -margin ? 'pass' : high < -margin ? 'regression' : 'inconclusive';
  return { outcome, reason: reasonOf(estimate, margin, outcome), marginsLost: -estimate.difference / margin, marginsAtMost: -low / margin };
}

/** What scores can be, as far as they tell: 0 to 1 where all are within it; null where that is not known. */
function rangeOf(scores: readonly number[]): Interval | null {
  return scores.every((score) => score >= 0 && score <= 1) ? { low: 0, high: 1 } : null;
}

/** Without the dust of rounding, which would make equal scores differ. */
export function difference(score: number, base: number): number {
  const exact = score - base;
  return Math.abs(exact) <= 1e-12 * Math.max(Math.abs(score), Math.abs(base)) ? 0 : exact;
}

function reasonOf(estimate: PairedEstimate, margin: number, outcome: QualityOutcome): string {
  const { items, difference, oneSided, tied, method } = estimate;
  const limit = `the margin of ${figureText(margin)}`;
  const measured = `mean difference ${figureText(difference)} over ${itemsText(estimate)}`;
  const bound = (value: number) => `${method === 'betting' ? 'always-valid ' : ''}95 % bound ${figureText(value)}`;
  if (outcome === 'pass') return `${measured}, ${bound(oneSided.low)}: not worse than ${limit}`;
  if (outcome === 'regression') return `${measured}, ${bound(oneSided.high)}: worse by more than ${limit}`;
  if (method === 'none') {
    return `${measured}: too few items differ to estimate the spread: export the score's range, or use more items`;
  }
  const open = `${measured}, but ${bound(oneSided.low)} is beyond ${limit}`;
  return tied === items ? `${open}: equal scores on so few items do not show it${moreItems(estimate, margin)}` : `${open}: use more items`;
}

/** How many equal items would show it. */
function moreItems({ range, of }: PairedEstimate, margin: number): string {
  if (range === null) return '';
  const share = margin / (range.high - range.low);
  const tail = of === undefined ? qualityTail : qualityTail * (1 - watchingShare);
  return share < 1 ? `; ${itemsNeeded(share, tail)} would` : '';
}

function check(scores: PairedScores, range: Interval | undefined): void {
  const invalid = (text: string) =>
    new AttnswapError('INVALID_DATA', `scores: ${text}`, { hint: 'return one finite score per item, in order' });
  if (scores.base.length !== scores.new.length) throw invalid(`got ${scores.new.length} for ${scores.base.length} items`);
  if (scores.base.length === 0) throw invalid('there are none, expected one per item');
  if (range !== undefined && !(range.low < range.high))
    throw invalid(`the range is ${range.low} to ${range.high}, expected low below high`);
  for (const side of ['base', 'new'] as const) {
    for (const [index, score] of scores[side].entries()) {
      if (!Number.isFinite(score)) throw invalid(`${side} score ${index} is ${score}, expected a finite number`);
      if (range !== undefined && !(score >= range.low && score <= range.high)) {
        throw invalid(`${side} score ${index} is ${score}, expected ${range.low} to ${range.high}`);
      }
    }
  }
}
