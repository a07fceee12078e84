import { medianAbsoluteDeviation, medianIntervalSorted, quantileSorted } from '../statistics/order-statistics.ts';
import { type Clock, systemClock } from './clock.ts';
import { type Call, runSampleLoop, type SampleLoop, timedBy, type TimeCalls } from './sample-loop.ts';
import { steadiness, type WarmUpOptions, type WarmUpState, warmUpState } from './warm-up.ts';

export interface SamplingOptions {
  readonly clock?: Clock;
  /** Nanoseconds of that many calls, where the runtime's side times itself; by `clock` around them where absent. */
  readonly timeCalls?: TimeCalls;
  readonly warmUp?: WarmUpOptions;
  /** What the last calls before the warm-up took, one by one, nanoseconds: they are part of it. Where a call is slow, that may be all. */
  readonly callsNs?: readonly number[];
  /** Whether the samples show if they are steady, as the warm-up is too short to; false. */
  readonly judgesSamples?: boolean;
  /** A sample lasts at least this long; 5 ms. */
  readonly minSampleNs?: number;
  /** Sampling stops once the median's 95 % interval reaches no further than this fraction of the median; 0.01. */
  readonly relativeHalfWidth?: number;
  /** Samples before the interval may stop anything; 10. */
  readonly minSamples?: number;
  /** Sampling (not warm-up) stops after this long, whatever the interval; 10 s. */
  readonly budgetNs?: number;
}

/** How a warm-up went, and the batch size that it settled on. */
export interface WarmUp {
  readonly callsPerSample: number;
  readonly samples: number;
  readonly calls: number;
  readonly elapsedNs: number;
  /** Null where there were too few samples to tell. */
  readonly steady: boolean | null;
  /** Absent where it is steady. */
  readonly reason?: string;
}

/** The latency of one cell in one process, nanoseconds per call. */
export interface LatencySamples {
  readonly medianNs: number;
  /** Of the samples: where a sample is a batch of many calls, a rare slow call is spread over its batch. */
  readonly p99Ns: number;
  readonly minNs: number;
  readonly madNs: number;
  /** The median's distribution-free interval, and the probability that it holds the median of independent samples. */
  readonly ciNs: { readonly low: number; readonly high: number; readonly coverage: number };
  /** Every sample in the order in which it was taken: none is ever dropped. */
  readonly samplesNs: readonly number[];
  readonly callsPerSample: number;
  readonly stoppedBy: 'interval' | 'budget';
  readonly warmup: WarmUp;
}

/**
 * Warms up, then samples until the median is known well enough or the budget is spent. A sample is a batch of awaited
 * calls lasting at least `minSampleNs` and 1000 timer ticks; its size is fixed when warm-up ends.
 * @throws whatever `call` throws
 */
export async function sampleLatency(call: Call, options: SamplingOptions = {}): Promise<LatencySamples> {
  const clock = options.clock ?? systemClock();
  const timeCalls = options.timeCalls ?? timedBy(clock, call);
  const { warmup, durationsNs } = await warmed(call, { ...options, clock });
  const { relativeHalfWidth = 0.01, minSamples = 10, budgetNs = 10e9 } = options;
  const samplesNs: number[] = [];
  const sorted: number[] = [];
  const narrow = () => sorted.length >= minSamples && relativeReach(sorted) <= relativeHalfWidth;
  const start = clock.nowNs();
  await runSampleLoop({
    clock,
    async sample() {
      const durationNs = (await timeCalls(warmup.callsPerSample)) / warmup.callsPerSample;
      samplesNs.push(durationNs);
      sorted.splice(insertionIndex(sorted, durationNs), 0, durationNs);
      return durationNs;
    },
    done: () => narrow() || clock.nowNs() - start >= budgetNs,
  });
  const { steady: _, reason: __, ...howLong } = warmup;
  const judged = options.judgesSamples === true ? { ...howLong, ...inRecord(steadiness(durationsNs, samplesNs)) } : warmup;
  const stoppedBy = narrow() ? 'interval' : 'budget';
  return { ...summarize(samplesNs, sorted), callsPerSample: warmup.callsPerSample, stoppedBy, warmup: judged };
}

/**
 * Calls until the durations are steady, or the cap. Begins with one call a sample, and takes more whenever a batch is
 * over too soon, with a fifth to spare; batches that were too short are counted, and are no part of the windows.
 * @throws whatever `call` throws
 */
export async function warmUp(call: Call, options: SamplingOptions = {}): Promise<WarmUp> {
  return (await warmed(call, options)).warmup;
}

/** The same, with the durations per call that it looked at. */
async function warmed(call: Call, options: SamplingOptions): Promise<{ readonly warmup: WarmUp; readonly durationsNs: readonly number[] }> {
  const clock = options.clock ?? systemClock();
  const timeCalls = options.timeCalls ?? timedBy(clock, call);
  const minimumNs = Math.max(options.minSampleNs ?? 5e6, 1000 * clock.tickNs);
  const { callsNs = [] } = options;
  const durationsNs = callsNs.filter((callNs) => callNs >= minimumNs);
  const start = clock.nowNs() - callsNs.reduce((sum, callNs) => sum + callNs, 0);
  let [callsPerSample, samples, calls] = [1, callsNs.length, callsNs.length];
  const state = () => warmUpState(durationsNs, clock.nowNs() - start, options.warmUp);
  const isSlow = callsNs.length > 0 && durationsNs.length === callsNs.length;
  const loop: SampleLoop = {
    clock,
    async sample() {
      const batch = callsPerSample;
      const batchNs = await timeCalls(batch);
      samples++;
      calls += batch;
      if (batchNs >= minimumNs) durationsNs.push(batchNs / batch);
      else callsPerSample = largerBatch(batch, batchNs, minimumNs);
      return batchNs / batch;
    },
    done: () => state().state !== 'warming',
  };
  if (!isSlow || state().state === 'warming') await runSampleLoop(loop);
  const end = state();
  const elapsedNs = clock.nowNs() - start;
  return { warmup: { callsPerSample, samples, calls, elapsedNs, ...inRecord(end) }, durationsNs };
}

function inRecord(verdict: WarmUpState): Pick<WarmUp, 'steady' | 'reason'> {
  if (!('reason' in verdict)) return { steady: verdict.state === 'steady' };
  return { steady: verdict.state === 'unknown' ? null : false, reason: verdict.reason };
}

/** At most tenfold: a batch of a few ticks is a poor measure, and a first cold call says little about the next. */
function largerBatch(calls: number, batchNs: number, minimumNs: number): number {
  return Math.max(calls + 1, Math.min(10 * calls, Math.ceil((1.2 * minimumNs * calls) / batchNs)));
}

/** The farther end of the median's interval, as a fraction of the median. */
function relativeReach(sorted: readonly number[]): number {
  const median = quantileSorted(sorted, 0.5);
  const { low, high } = medianIntervalSorted(sorted);
  return Math.max(high - median, median - low) / median;
}

function summarize(samplesNs: readonly number[], sorted: readonly number[]) {
  return {
    medianNs: quantileSorted(sorted, 0.5),
    p99Ns: quantileSorted(sorted, 0.99),
    minNs: quantileSorted(sorted, 0),
    madNs: medianAbsoluteDeviation(samplesNs),
    ciNs: medianIntervalSorted(sorted),
    samplesNs,
  };
}

/** Binary search: sorting anew after every sample would spend more time between samples than some samples last. */
function insertionIndex(sorted: readonly number[], value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? Infinity) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
