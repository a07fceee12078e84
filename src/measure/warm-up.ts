import { medianAbsoluteDeviation, median } from '../statistics/order-statistics.ts';

export interface WarmUpOptions {
  /** Samples in a window. */
  readonly window?: number;
  /** The tolerance between windows never falls below this fraction of the median. */
  readonly relativeTolerance?: number;
  /** Warm-up gives up after this long. */
  readonly capNs?: number;
}

/** Where a warm-up stands. `unsteady` is a finding, not a failure: the cell is measured all the same, and says so. */
export type WarmUpState =
  | { readonly state: 'warming' }
  | { readonly state: 'steady' }
  | { readonly state: 'unsteady'; readonly reason: string };

const windows = 3;

/**
 * Decides whether a stream of sample durations has become steady: its last three windows of ten samples have medians
 * within max(0.5 %, 4.5·MAD/√10) of one another, and no slope. Medians of ten samples of steady normal noise stray by
 * 1.86·MAD/√10, so that three of them pass in 4 looks of 5; twice MAD/√10 would turn 3 of 4 away.  MAD is taken about each window's own median, so that a drift
 * between windows cannot widen its own tolerance. A slope counts where it is significant (Mann–Kendall, |z| > 2.58) and
 * moves the duration by more than 0.5 % over the three windows (Theil–Sen).
 *
 * A pure function of the stream so far: ask again after every sample. It looks only when a window is full: ten times the
 * looks would let ten times the luck through. It lies where the process has phases longer than three windows (a steady
 * phase is not yet the last one): only another launch can tell.
 *
 * @param durationsNs per-call durations in the order in which they were taken, nanoseconds
 * @param elapsedNs since the warm-up began, nanoseconds
 */
export function warmUpState(durationsNs: readonly number[], elapsedNs: number, options: WarmUpOptions = {}): WarmUpState {
  const { window = 10, relativeTolerance = 0.005, capNs = 30e9 } = options;
  const last = durationsNs.slice(-windows * window);
  const enough = last.length === windows * window;
  const full = durationsNs.length % window === 0;
  const tolerance = { relative: relativeTolerance, deviations: 4.5 };
  if (enough && full && agree(last, window, tolerance) && flat(last, relativeTolerance)) return { state: 'steady' };
  if (elapsedNs < capNs) return { state: 'warming' };
  const seconds = `${Number((capNs / 1e9).toPrecision(3))} s`;
  if (enough) return { state: 'unsteady', reason: `no steady state in ${seconds} (${durationsNs.length} samples)` };
  return {
    state: 'unsteady',
    reason: `no steady state in ${seconds}: ${durationsNs.length} of the ${windows * window} samples needed to tell`,
  };
}

/** Fewer samples than this do not tell whether they are steady. */
const fewestSteady = 9;

/**
 * Decides afterwards whether samples were steady throughout, where a warm-up was kept short because nothing was left to compile: their
 * thirds have medians within max(0.5 %, 6.2·MAD/√n) of one another, n to a third, and no slope, as in {@link warmUpState}. Asked once, steady
 * normal noise passes in 19 cases of 20.
 * @param before durations of the warm-up in the order in which they were taken; the last of them count where samples are few
 */
export function steadiness(before: readonly number[], samplesNs: readonly number[]): { steady: true } | { steady: false; reason: string } {
  const samples = [...before, ...samplesNs].slice(-Math.max(fewestSteady, samplesNs.length));
  if (samples.length < fewestSteady) {
    return { steady: false, reason: `${samples.length} of the ${fewestSteady} samples needed to tell a steady state` };
  }
  const window = Math.floor(samples.length / windows);
  const last = samples.slice(-windows * window);
  if (agree(last, window, { relative: 0.005, deviations: 6.2 }) && flat(last, 0.005)) return { steady: true };
  return { steady: false, reason: `the ${samples.length} samples drift: no steady state` };
}

interface Tolerance {
  /** Of the median. */
  readonly relative: number;
  /** Median absolute deviations, over the root of a window's samples. */
  readonly deviations: number;
}

function agree(samples: readonly number[], window: number, { relative, deviations }: Tolerance): boolean {
  const parts = Array.from({ length: windows }, (_, i) => samples.slice(i * window, (i + 1) * window));
  const medians = parts.map(median);
  const deviation = median(parts.map(medianAbsoluteDeviation));
  const tolerance = Math.max(relative * median(samples), (deviations * deviation) / Math.sqrt(window));
  return Math.max(...medians) - Math.min(...medians) <= tolerance;
}

function flat(samples: readonly number[], relativeTolerance: number): boolean {
  const { z, slope } = trend(samples);
  return Math.abs(z) <= 2.58 || Math.abs(slope) * samples.length <= relativeTolerance * median(samples);
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
