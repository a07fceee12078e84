import type { Interval } from '../statistics/resample.ts';
import { meanInterval } from '../statistics/student.ts';
import type { MeanEstimate } from '../statistics/student.ts';

/** When a comparison is judged, and how much error each look may spend. */
export interface LookPlan {
  /** Numbers of blocks at which the interval is looked at, rising. */
  readonly looks: readonly number[];
  /** One-sided error of each look's interval, at each end. */
  readonly tail: number;
  /**
   * Whether a gain is what is asked for: a pass whose mean is one, of more than Δ/2, then goes on while looks are left, until the gain is shown
   * or is none. Otherwise the first pass ends it: what is not worse is good enough.
   */
  readonly seeksGain?: boolean;
  /**
   * Looks at `n` blocks, fewer than this, but for the last, call a change a regression only where it exceeds Δ/2 · waryBefore / n, as a few blocks may
   * agree by chance: 1.5 Δ at 3 blocks, where it is 9.
   */
  readonly waryBefore?: number;
}

/** One-sided, shared by the looks of a plan: at most 5 % false passes at a true change of Δ, as the looks have blocks in common. */
const sharedError = 0.06;
/** What one look spends at most. */
const mostOfOneLook = 0.015;

/** The first looks decide what is clear: over 3 blocks the interval reaches 4 standard deviations to either side of the mean, over 6 it reaches 1.4. */
export const defaultLooks: LookPlan = { ...sharing([3, 4, 6, 10, 20, 40]), waryBefore: 9 };

function sharing(looks: readonly number[]): LookPlan {
  return { looks, tail: Math.min(sharedError / looks.length, mostOfOneLook) };
}

/** Natural logarithms of ratios, new over base. */
export interface Bounds {
  /** ln(1 + Δ): the largest change that passes. */
  readonly margin: number;
  /** The A/A floor: changes below it were seen between equal arms. 0 where the host was not calibrated. */
  readonly floor: number;
  /**
   * Comparisons that are judged together, 1 where absent. That there is a change at all must then be shown at the look's error divided by
   * their number, so that the chance of calling any unchanged cell of the matrix changed stays that of one (Bonferroni, which is
   * Holm's first step; the steps after it need all comparisons at once, and these go on for more blocks instead). That it is more than Δ/2 is
   * each cell's own question.
   */
  readonly family?: number;
}

export type Look = MeanEstimate & {
  /** `more`: neither shown yet, and looks are left. */
  readonly state: 'pass' | 'improvement' | 'regression' | 'inconclusive' | 'more';
};

/**
 * Judges the blocks so far; only the blocks up to the last look count, so that a caller who asks between looks changes nothing.
 * Lower is better. `regression`: the whole interval lies above max(Δ/2, floor), so a change is shown, and it is no
 * artefact of the host. `improvement` is its mirror image, but for wary looks. `pass`: the whole interval lies below Δ. At the last look what is
 * none of these is `inconclusive`. A pure function: the same blocks give the same verdict. Stop at the first look that decides: blocks beyond it are
 * judged anew, and looks that were passed over are not made up for.
 *
 * At a true slowdown of exactly Δ a pass is an error of at most 5 %. Between Δ/2 and Δ both verdicts are right.
 * @param logRatios one per block: independent, or the interval is too narrow
 */
export function look(logRatios: readonly number[], bounds: Bounds, plan: LookPlan = defaultLooks): Look {
  const reached = plan.looks.filter((blocks) => blocks <= logRatios.length);
  const blocks = reached.at(-1);
  if (blocks === undefined) return { ...meanInterval(logRatios, plan.tail), state: 'more' };
  const used = logRatios.slice(0, blocks);
  const estimate = meanInterval(used, plan.tail);
  const strict = meanInterval(used, plan.tail / (bounds.family ?? 1));
  const last = reached.length === plan.looks.length;
  const wary = last ? 1 : Math.max(1, (plan.waryBefore ?? 0) / blocks);
  const state = stateOf(estimate, strict, bounds, wary);
  if (state === undefined) return { ...estimate, state: last ? 'inconclusive' : 'more' };
  const hopeful = plan.seeksGain === true && state === 'pass' && estimate.mean < -shownFrom(bounds);
  return { ...estimate, state: hopeful && !last ? 'more' : state };
}

/** undefined where the interval decides nothing yet. */
function stateOf(
  { low, high }: Interval,
  strict: Interval,
  bounds: Bounds,
  wary: number,
): 'pass' | 'improvement' | 'regression' | undefined {
  const shown = shownFrom(bounds);
  if (low > Math.max((wary * bounds.margin) / 2, shown) && strict.low > 0) return 'regression';
  if (high < -shown && strict.high < 0) return 'improvement';
  return high < bounds.margin ? 'pass' : undefined;
}

/** From here on a change is one. */
function shownFrom({ margin, floor }: Bounds): number {
  return Math.max(margin / 2, floor);
}

/** No look between the tenth block and the last, and a gain sought: models are slow, and gains worth a migration show early. */
export function gainPlan(blocks: number): LookPlan {
  return { ...sharing([...[3, 5, 10].filter((count) => count < blocks), blocks]), seeksGain: true };
}

/** The default looks with at most `blocks` blocks: the last look is there, so that a comparison ends. More looks share the same error. */
export function planUpTo(blocks: number): LookPlan {
  const looks = [...defaultLooks.looks];
  while (looks.at(-1)! < blocks) looks.push(2 * looks.at(-1)!);
  return { ...defaultLooks, ...sharing([...looks.filter((count) => count < blocks), blocks]) };
}
