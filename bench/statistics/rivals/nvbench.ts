import type { SimulatedHost } from '../host.ts';
import { ticksPerSecond } from '../host.ts';
import type { Recorded, Rival } from './rival.ts';
import { momentsOf } from './rival.ts';

const minimumTicks = ticksPerSecond / 2;
const timeoutTicks = 15 * ticksPerSecond;
const fewestForNoise = 5;
const noiseWindow = 512;

/**
 * NVBench with its long-standing nvbench_compare (now also called nvbench-compare-legacy): single samples until, past half a second,
 * their relative standard deviation so far is below 0.5 %, or its last 512 values stray by less than 5 % (looked at every 16 samples
 * once there are more than 64), or 15 s are over. «SLOW» where the relative difference of the means exceeds the smaller of both
 * relative standard deviations. python/scripts/nvbench_compare.py, nvbench/detail/stdrel_criterion.cxx.
 */
export const nvbench: Rival = {
  name: 'nvbench_compare',
  rule: 'samples until their noise is steady, 15 s at most; difference of means > the smaller relative standard deviation',
  record,
  slower(base, candidate) {
    const before = momentsOf(base);
    const after = momentsOf(candidate);
    const noise = Math.min(Math.sqrt(before.variance) / before.mean, Math.sqrt(after.variance) / after.mean);
    return after.mean / before.mean - 1 > noise;
  },
};

function record(host: SimulatedHost): Recorded {
  const effect = host.launch();
  const samples = new Float64Array(timeoutTicks);
  const noises: number[] = [];
  let sum = 0;
  let squares = 0;
  for (let taken = 1; taken <= timeoutTicks; taken += 1) {
    const sample = Math.exp(effect + host.sample());
    samples[taken - 1] = sample;
    sum += sample;
    squares += sample * sample;
    if (taken < fewestForNoise) continue;
    const mean = sum / taken;
    noises.push(Math.sqrt(Math.max(0, squares - taken * mean * mean) / (taken - 1)) / mean);
    if (sum > minimumTicks && (noises.at(-1)! < 0.005 || (taken % 16 === 0 && isSteady(noises)))) return samples.slice(0, taken);
  }
  return samples;
}

function isSteady(noises: readonly number[]): boolean {
  const { mean, variance } = momentsOf(Float64Array.from(noises.slice(-noiseWindow)));
  return noises.length > 64 && variance < (0.05 * mean) ** 2;
}
