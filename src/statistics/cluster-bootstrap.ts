import { quantileSorted } from './order-statistics.ts';
import type { Interval } from './resample.ts';
import { drawBelow, seededGenerator } from './resample.ts';

/** A statistic of the values of all blocks together; `'mean'` is the quick one, with its standard error in closed form. */
export type PooledStatistic = 'mean' | ((pooled: readonly number[]) => number);

export interface ClusterBootstrapOptions {
  readonly seed: number;
  /** One-sided error at each end of the interval. */
  readonly tail: number;
  readonly replicates?: number;
}

export interface ClusterEstimate extends Interval {
  readonly estimate: number;
}

/** The statistic of some of the blocks, given by index, with its standard error. */
type Fit = (draw: readonly number[]) => { readonly estimate: number; readonly error: number };

/**
 * A statistic of the pooled blocks and its studentised bootstrap (bootstrap-t) interval: whole blocks are drawn with replacement, and
 * the quantiles of (θ* − θ)/se* take the place of Student's (Efron and Tibshirani, An Introduction to the Bootstrap, §12.5; for
 * clusters Cameron, Gelbach and Miller, Review of Economics and Statistics 90, 2008). Standard errors are a jackknife over blocks, so the
 * statistic must be smooth in them: means, ratios, medians of many values a block, never a maximum or a median of single
 * values. Of 5 to 20 skewed (exponential) blocks 93–95 % of 95 % intervals cover; of Student's 88–91 %, of percentile intervals
 * 78–90 %. The price is width: a sixth more than Student's of 20 blocks, two fifths of 10, 2.7 times as wide of 5. `estimate` is as
 * biased as the statistic is. Misleading when blocks depend on one another, and with three (78 % cover) or four blocks, as these give
 * only a few different draws.
 *
 * Replicates that show no spread (the same block every time) are left out. Costs a call of `statistic` for every
 * distinct block of every replicate.
 * @throws RangeError on fewer than 3 blocks, an empty block, a tail outside (0, ½), or a statistic that is not finite
 */
export function clusterBootstrap(
  blocks: readonly (readonly number[])[],
  statistic: PooledStatistic,
  { seed, tail, replicates = 9999 }: ClusterBootstrapOptions,
): ClusterEstimate {
  if (blocks.length < 3) throw new RangeError(`clusterBootstrap: needs at least 3 blocks, got ${blocks.length}`);
  if (blocks.some((block) => block.length === 0)) throw new RangeError('clusterBootstrap: a block is empty');
  if (!(tail > 0 && tail < 0.5)) throw new RangeError(`clusterBootstrap: tail must lie in (0, 0.5), got ${tail}`);
  const fit = statistic === 'mean' ? meanFit(blocks) : jackknifeFit(blocks, statistic);
  const { estimate, error } = fit(blocks.map((_, index) => index));
  if (!Number.isFinite(estimate)) throw new RangeError(`clusterBootstrap: the statistic is ${estimate}`);
  if (error === 0) return { estimate, low: estimate, high: estimate };
  const generator = seededGenerator(seed, 'cluster-bootstrap');
  const pivots: number[] = [];
  for (let replicate = 0; replicate < replicates; replicate += 1) {
    const drawn = fit(blocks.map(() => drawBelow(generator, blocks.length)));
    if (drawn.error > 1e-9 * error) pivots.push((drawn.estimate - estimate) / drawn.error);
  }
  pivots.sort((a, b) => a - b);
  return { estimate, low: estimate - quantileSorted(pivots, 1 - tail) * error, high: estimate - quantileSorted(pivots, tail) * error };
}

/** The pooled mean is a ratio Σ sum/Σ count of blocks; its linearised error has k − 1 degrees of freedom. */
function meanFit(blocks: readonly (readonly number[])[]): Fit {
  const sums = blocks.map((block) => block.reduce((sum, value) => sum + value, 0));
  return (draw) => {
    let sum = 0;
    let count = 0;
    for (const index of draw) {
      sum += sums[index]!;
      count += blocks[index]!.length;
    }
    const estimate = sum / count;
    let squares = 0;
    for (const index of draw) squares += (sums[index]! - estimate * blocks[index]!.length) ** 2;
    return { estimate, error: Math.sqrt((squares * draw.length) / (draw.length - 1)) / count };
  };
}

/** The jackknife over blocks, √((k − 1)/k·Σ(θ₍ᵢ₎ − θ̄)²); copies of a block leave the same rest, which is taken once. */
function jackknifeFit(blocks: readonly (readonly number[])[], statistic: (pooled: readonly number[]) => number): Fit {
  const pool = (draw: readonly number[]) => statistic(draw.flatMap((index) => blocks[index]!));
  return (draw) => {
    const rests = new Map<number, number>();
    const without = draw.map((block, position) => {
      const rest = rests.get(block) ?? pool(draw.toSpliced(position, 1));
      rests.set(block, rest);
      return rest;
    });
    const centre = without.reduce((sum, value) => sum + value, 0) / draw.length;
    const squares = without.reduce((sum, value) => sum + (value - centre) ** 2, 0);
    const error = rests.size === 1 ? 0 : Math.sqrt((squares * (draw.length - 1)) / draw.length);
    return { estimate: pool(draw), error };
  };
}
