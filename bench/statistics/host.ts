import type { JumpableRandomGenerator } from 'pure-rand/types/JumpableRandomGenerator';
import { heavyTable, normalTable } from './noise-tables.ts';

export interface NoiseLevel {
  readonly name: string;
  /** Standard deviation of ln(duration) of the samples of one process. */
  readonly cv: number;
  /** Standard deviation of a process's own effect on ln(duration). */
  readonly process: number;
  /** Whether drift and ramp take their part of the noise; without them samples are independent. */
  readonly drifts: boolean;
}

export const noiseLevels: readonly NoiseLevel[] = [
  { name: 'quiet', cv: 0.01, process: 0.003, drifts: true },
  { name: 'typical', cv: 0.03, process: 0.007, drifts: true },
  { name: 'noisy', cv: 0.08, process: 0.015, drifts: true },
];

/** One tick of the clock is one sample: a batch of calls that lasts 5 ms. */
export const ticksPerSecond = 200;
/** Half a second to launch a process. */
const launchTicks = 100;
/** The ramp reaches its full height in 30 s. */
const rampTicks = 6000;
const spikeChance = 0.01;

/**
 * A machine and its weather. ln(duration) of a sample = its process's effect + noise, whose variance is divided between AR(1) drift,
 * a linear ramp, heavy tails (Student's t of three degrees) and spikes (1 sample in 100, exponential, upwards). The division is drawn
 * anew for every machine, all being equally likely, and so is the time in which drift forgets: 50 ms to 5 s, uniform in its logarithm.
 * Drift and ramp run on one clock for all processes; effects, tails and spikes are each sample's or process's own.
 */
export class SimulatedHost {
  readonly level: NoiseLevel;
  /** Samples taken so far, dropped ones too; launches and warm-ups are none. */
  samples = 0;
  readonly #random: JumpableRandomGenerator;
  readonly #keep: number;
  readonly #driftDeviation: number;
  readonly #driftStep: number;
  readonly #rampHeight: number;
  readonly #tail: number;
  readonly #spikeMean: number;
  #drift = 0;
  #ramp = 0;
  #rampPerTick = 0;
  #ticksToSpike = 0;

  constructor(level: NoiseLevel, random: JumpableRandomGenerator) {
    this.level = level;
    this.#random = random;
    const { drift, ramp, tail, spike } = this.#divideNoise();
    this.#keep = Math.exp(-1 / (10 * 100 ** this.#uniform()));
    this.#driftDeviation = drift;
    this.#driftStep = drift * Math.sqrt(1 - this.#keep ** 2);
    // A uniform distribution of this width, and a mixture of spikes of this mean, have the variance wanted.
    this.#rampHeight = ramp * Math.sqrt(12);
    this.#spikeMean = spike / Math.sqrt(2 * spikeChance - spikeChance ** 2);
    this.#tail = tail;
    this.restart();
  }

  /** Begins another comparison: drift from its stationary distribution, the ramp up or down from 0, or as steep as told. */
  restart(rampPerTick?: number): void {
    this.#drift = this.#driftDeviation * this.#normal();
    this.#ramp = 0;
    const direction = this.#random.next() < 0 ? -1 : 1;
    this.#rampPerTick = rampPerTick ?? (direction * this.#rampHeight) / rampTicks;
    this.#ticksToSpike = this.#drawTicksToSpike();
  }

  /** Starts a process and returns its effect. */
  launch(): number {
    this.skip(launchTicks);
    return this.level.process * this.#normal();
  }

  /** Takes a sample: the noise of its logarithm, without the process's effect. */
  sample(): number {
    this.samples += 1;
    const bits = this.#random.next();
    this.#drift = this.#keep * this.#drift + this.#driftStep * normalTable[bits & 0xffff]!;
    this.#ramp += this.#rampPerTick;
    let noise = this.#drift + this.#ramp + this.#tail * heavyTable[bits >>> 16]!;
    if (this.#ticksToSpike === 0) {
      noise -= this.#spikeMean * Math.log(this.#uniform());
      this.#ticksToSpike = this.#drawTicksToSpike();
    } else {
      this.#ticksToSpike -= 1;
    }
    return noise;
  }

  /** Takes samples that nobody looks at. */
  drop(ticks: number): void {
    this.samples += ticks;
    this.skip(ticks);
  }

  /** Lets ticks pass without a sample. */
  skip(ticks: number): void {
    const kept = this.#keep ** ticks;
    this.#drift = kept * this.#drift + this.#driftDeviation * Math.sqrt(1 - kept * kept) * this.#normal();
    this.#ramp += ticks * this.#rampPerTick;
  }

  /** Standard deviations by kind; variances are uniform among all that add up to CV². */
  #divideNoise() {
    const weights = Array.from({ length: 4 }, (_, kind) => (kind > 1 || this.level.drifts ? -Math.log(this.#uniform()) : 0));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const deviation = (kind: number) => this.level.cv * Math.sqrt(weights[kind]! / total);
    return { drift: deviation(0), ramp: deviation(1), tail: deviation(2), spike: deviation(3) };
  }

  #normal(): number {
    return normalTable[this.#random.next() >>> 16]!;
  }

  #uniform(): number {
    return ((this.#random.next() >>> 0) + 0.5) / 0x1_0000_0000;
  }

  #drawTicksToSpike(): number {
    return Math.floor(Math.log(this.#uniform()) / Math.log(1 - spikeChance));
  }
}
