import { median } from '../statistics/order-statistics.ts';

export interface WarmUpOptions {
  /** Samples in a window. */
  readonly window?: number;
  /** Warm-up gives up after this long. */
  readonly capNs?: number;
}

/**
 * Where a warm-up stands. `unsteady` is a finding, `unknown` the lack of one, as there are too few samples: neither is a failure, the cell is
 * measured all the same, and says so.
 */
export type WarmUpState = { readonly state: 'warming' } | Verdict;

export type Verdict =
  | { readonly state: 'steady' }
  | { readonly state: 'unsteady'; readonly reason: string }
  | { readonly state: 'unknown'; readonly reason: string };

const windows = 3;
/** Medians that are no further apart than this fraction of the median are the same, and so is a slope that moves the duration by no more. */
const negligible = 0.005;

/**
 * Decides whether a stream of sample durations has become steady: its last three windows of ten samples have medians
 * within 0.5 % of one another, or no window has the higher ranks (Kruskal–Wallis, p > 0.2, so that steady noise passes 4 looks in 5), and no
 * slope. A slope counts where it is significant (Mann–Kendall, |z| > 2.58) and moves the duration by more than 0.5 % over the three windows
 * (Theil–Sen).
 *
 * A pure function of the stream so far: ask again after every sample. It looks only when a window is full: ten times the
 * looks would let ten times the luck through. It lies where the process has phases longer than three windows (a steady
 * phase is not yet the last one): only another launch can tell.
 *
 * @param durationsNs per-call durations in the order in which they were taken, nanoseconds
 * @param elapsedNs since the warm-up began, nanoseconds
 */
export function warmUpState(durationsNs: readonly number[], elapsedNs: number, options: WarmUpOptions = {}): WarmUpState {
  const { window = 10, capNs = 30e9 } = options;
  const last = durationsNs.slice(-windows * window);
  const enough = last.length === windows * window;
  const full = durationsNs.length % window === 0;
  if (enough && full && level(last, 0.2) && flat(last)) return { state: 'steady' };
  if (elapsedNs < capNs) return { state: 'warming' };
  if (!enough) return tooFew(durationsNs.length, windows * window);
  const seconds = `${Number((capNs / 1e9).toPrecision(3))} s`;
  return { state: 'unsteady', reason: `no steady state in ${seconds} (${durationsNs.length} samples)` };
}

const mostPoints = 300;
/** From fewer samples than this, a drift of four standard deviations would be missed more than once in ten times. */
const fewestSamples = 15;

/**
 * Decides afterwards whether samples were steady throughout, where a warm-up was kept short because nothing was left to compile: their thirds
 * are level (as in {@link warmUpState}, but p > 0.04) and have no slope. Asked once, independent noise, normal or skewed, passes in 19 cases of
 * 20, however many samples there are; noise that is correlated from sample to sample (lag-1 correlation of 0.5) in 3 or 4 cases of 5.
 * @param before durations of the warm-up in the order in which they were taken; the last of them count where samples are few
 */
export function steadiness(before: readonly number[], samplesNs: readonly number[]): Verdict {
  const samples = [...before, ...samplesNs].slice(-Math.max(fewestSamples, samplesNs.length));
  if (samples.length < fewestSamples) return tooFew(samples.length, fewestSamples);
  const last = thinned(samples);
  if (level(last, 0.04) && flat(last)) return { state: 'steady' };
  return { state: 'unsteady', reason: `the ${samples.length} samples drift: no steady state` };
}

/** At most {@link mostPoints}, each the median of as many consecutive samples, in whole windows: slopes are those of all pairs. */
function thinned(samples: readonly number[]): number[] {
  const size = Math.ceil(samples.length / mostPoints);
  const groups = Math.floor(samples.length / size / windows) * windows;
  const first = samples.length - groups * size;
  return Array.from({ length: groups }, (_, group) => median(samples.slice(first + group * size, first + (group + 1) * size)));
}

function tooFew(samples: number, needed: number): Verdict {
  return { state: 'unknown', reason: `too few samples to tell whether the latency is steady (${samples} of ${needed})` };
}

/** Whether the thirds' medians agree to 0.5 %, or Kruskal–Wallis finds a p above `least` for the thirds' ranks. */
function level(samples: readonly number[], least: number): boolean {
  const size = samples.length / windows;
  const parts = (values: readonly number[]) => Array.from({ length: windows }, (_, i) => values.slice(i * size, (i + 1) * size));
  const medians = parts(samples).map(median);
  if (Math.max(...medians) - Math.min(...medians) <= negligible * median(samples)) return true;
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = (samples.length - 1) / 2;
  const ranks = samples.map((sample) => (sorted.indexOf(sample) + sorted.lastIndexOf(sample)) / 2 - middle);
  const between = parts(ranks).reduce((sum, part) => sum + part.reduce((a, b) => a + b) ** 2 / size, 0);
  const all = ranks.reduce((sum, rank) => sum + rank ** 2, 0);
  // χ² with two degrees of freedom.
  return Math.exp((-(samples.length - 1) * between) / all / 2) > least;
}

function flat(samples: readonly number[]): boolean {
  const { z, slope } = trend(samples);
  return Math.abs(z) <= 2.58 || Math.abs(slope) * samples.length <= negligible * median(samples);
}

/** Mann–Kendall's z (without the correction for ties, which only makes |z| larger) and Theil–Sen's slope per sample. */
function trend(samples: readonly number[]): { z: number; slope: number } {
  const slopes: number[] = [];
  let concordance = 0;
  for (const [i, earlier] of samples.entries()) {
    for (const [j, later] of samples.entries()) {
      if (j <= i) continue;
      concordance += Math.sign(later - earlier);
      slopes.push((later - earlier) / (j - i));
    }
  }
  const n = samples.length;
  const deviation = Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18);
  return { z: concordance / deviation, slope: median(slopes) };
}
