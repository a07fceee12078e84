import { quantile } from './order-statistics.ts';

/** Logarithms of the durations of one round, which were taken in turns. */
export interface RoundLogs {
  readonly base: readonly number[];
  readonly new: readonly number[];
}

/**
 * What the samples of a block say of ln(new/base): from each round's samples its pace is taken off, the mean of the two arms' `p`-quantiles, which
 * leaves out how fast the machine was; then that quantile of all the new arm's is compared with that of all the base's. On shared machines many samples are
 * disturbed, and a median of all of them withstands more than the mean of the rounds' few (ARCHITECTURE.md). What is added to one arm's samples
 * is added to the effect: a median of both arms together, between two groups that are apart, would not move with them.
 * @param p 0.5, the median, unless disturbances only ever add to a sample
 * @throws RangeError without a sample of each arm
 */
export function blockEffect(rounds: readonly RoundLogs[], p = 0.5): number {
  const arms: { base: number[]; new: number[] } = { base: [], new: [] };
  for (const round of rounds) {
    const pace = (quantile(round.base, p) + quantile(round.new, p)) / 2;
    arms.base.push(...round.base.map((log) => log - pace));
    arms.new.push(...round.new.map((log) => log - pace));
  }
  return quantile(arms.new, p) - quantile(arms.base, p);
}
