import type { JumpableRandomGenerator } from 'pure-rand/types/JumpableRandomGenerator';
import { floorBlocks } from '../../src/compare/calibration.ts';
import type { Look } from '../../src/decide/sequential.ts';
import { quantile } from '../../src/statistics/order-statistics.ts';
import { seededGenerator } from '../../src/statistics/resample.ts';
import { meanInterval } from '../../src/statistics/student.ts';
import { SimulatedComparison, ticksOfBlock } from './comparison.ts';
import type { NoiseLevel } from './host.ts';
import { SimulatedHost } from './host.ts';
import { Figures, Share } from './tally.ts';

export const margins = [0.02, 0.05, 0.1] as const;
export const coverageBlocks = [3, 5, 10, 20, 30] as const;
export const cellsOfMatrix = 50;
/** How each comparison is judged. The floor is tried in a matrix alone: elsewhere it changes nothing below Δ/2. */
const settings = [
  { judged: 'alone', family: 1, calibrated: false },
  { judged: `one of ${cellsOfMatrix}`, family: cellsOfMatrix, calibrated: false },
  { judged: `one of ${cellsOfMatrix}, floor`, family: cellsOfMatrix, calibrated: true },
] as const;
/** A slowdown of a fifth over the whole comparison, and its mirror image. */
const steepRamp = Math.log(1.2);

export interface OurOptions {
  readonly runs: number;
  readonly seed: number;
}

/** How one margin Δ fared, judged alone, or in a matrix without or with the floor of a calibrated host. */
export interface RuleTally {
  readonly margin: number;
  readonly judged: string;
  readonly family: number;
  /** As a logarithm, like a block's effect. */
  readonly floor: number;
  /** Of single comparisons of equal arms. */
  readonly falseRegression: Share;
  readonly falseImprovement: Share;
  readonly inconclusive: Share;
  readonly blocksUsed: Figures;
  /** Matrices of equal arms with at least one regression among their cells. */
  readonly falseRegressionInMatrix: Share;
  /** At a true slowdown of Δ. */
  readonly power: Share;
  readonly falsePass: Share;
  readonly inconclusiveAtMargin: Share;
  readonly blocksUsedAtMargin: Figures;
  /** At a true slowdown of 2Δ. */
  readonly powerAtTwice: Share;
}

export interface OurTally {
  readonly rules: readonly RuleTally[];
  readonly coverage: readonly Share[];
  /** Standard deviation of a block's effect. */
  readonly block: Figures;
  /** Samples of both arms in one block. */
  readonly samples: Figures;
  /** The 95th percentile of |θ| over {@link floorBlocks} of equal arms: what calibration stores. */
  readonly floor: number;
}

/** Judges simulated comparisons at one noise level with the project's own functions. */
export function simulateOurs(level: NoiseLevel, options: OurOptions): OurTally {
  const floor = floorOf(level, options);
  const rules = margins.flatMap((margin) =>
    settings.map(({ judged, family, calibrated }) => emptyTally({ margin, judged, family, floor: calibrated ? floor : 0 })),
  );
  const tally = {
    rules,
    coverage: coverageBlocks.map(() => new Share()),
    block: new Figures(),
    samples: new Figures(),
  };
  for (let run = 0; run < options.runs; run += 1) {
    const random = seededGenerator(options.seed, `${level.name}/${run}`);
    const host = new SimulatedHost(level, random);
    const first = new SimulatedComparison(host, random);
    addFirstCell(first, tally);
    tally.samples.add(host.samples / first.blocks);
    addEqualCells([first], { host, random }, tally.rules);
  }
  return { ...tally, floor };
}

function floorOf(level: NoiseLevel, { runs, seed }: OurOptions): number {
  const sizes = Array.from({ length: runs }, (_, run) => {
    const random = seededGenerator(seed, `${level.name}/floor/${run}`);
    return Math.abs(mean(new SimulatedComparison(new SimulatedHost(level, random), random).effects(floorBlocks)));
  });
  return quantile(sizes, 0.95);
}

function emptyTally(rule: Pick<RuleTally, 'margin' | 'judged' | 'family' | 'floor'>): RuleTally {
  const shares = {
    falseRegression: new Share(),
    falseImprovement: new Share(),
    inconclusive: new Share(),
    falseRegressionInMatrix: new Share(),
  };
  const slowed = { power: new Share(), falsePass: new Share(), inconclusiveAtMargin: new Share(), powerAtTwice: new Share() };
  return { ...rule, ...shares, ...slowed, blocksUsed: new Figures(), blocksUsedAtMargin: new Figures() };
}

/** The first cell of a matrix stands for coverage, and with Δ or 2Δ added to it for true slowdowns. */
function addFirstCell(first: SimulatedComparison, { rules, coverage, block }: Omit<OurTally, 'floor'>): void {
  for (const effect of first.effects(coverageBlocks.at(-1)!)) block.add(effect);
  for (const [index, blocks] of coverageBlocks.entries()) {
    const { low, high } = meanInterval(first.effects(blocks), 0.025);
    coverage[index]!.add(low <= 0 && 0 <= high);
  }
  for (const rule of rules) {
    const { state, count } = judge(first, rule, Math.log(1 + rule.margin));
    rule.power.add(state === 'regression');
    rule.falsePass.add(state === 'pass');
    rule.inconclusiveAtMargin.add(state === 'inconclusive');
    rule.blocksUsedAtMargin.add(count);
    rule.powerAtTwice.add(judge(first, rule, Math.log(1 + 2 * rule.margin)).state === 'regression');
  }
}

/** Judges a matrix of equal arms: the cells given, and as many more as it takes. */
function addEqualCells(
  cells: readonly SimulatedComparison[],
  { host, random }: { host: SimulatedHost; random: JumpableRandomGenerator },
  rules: readonly RuleTally[],
): void {
  const regressions = new Set<RuleTally>();
  for (let cell = 0; cell < cellsOfMatrix; cell += 1) {
    if (cell >= cells.length) host.restart();
    const comparison = cells[cell] ?? new SimulatedComparison(host, random);
    for (const rule of rules) {
      const { state, count } = judge(comparison, rule, 0);
      rule.falseRegression.add(state === 'regression');
      rule.falseImprovement.add(state === 'improvement');
      rule.inconclusive.add(state === 'inconclusive');
      rule.blocksUsed.add(count);
      if (state === 'regression') regressions.add(rule);
    }
  }
  for (const rule of rules) rule.falseRegressionInMatrix.add(regressions.has(rule));
}

function judge(comparison: SimulatedComparison, { margin, family, floor }: RuleTally, effect: number): Look {
  return comparison.verdict({ margin: Math.log(1 + margin), floor, family }, effect);
}

/**
 * What a ramp that reaches ±20 % at the last sample adds to θ over 20 blocks: the difference to the same random numbers without one.
 */
export function simulateRamp(level: NoiseLevel, { runs, seed }: OurOptions): Figures {
  const shifts = new Figures();
  for (let run = 0; run < runs; run += 1) {
    const ramped = (direction: number) => rampedMean(level, seededGenerator(seed, `${level.name}/ramp/${run}`), direction);
    const level0 = ramped(0);
    for (const direction of [-1, 1]) shifts.add(ramped(direction) - level0);
  }
  return shifts;
}

function rampedMean(level: NoiseLevel, random: JumpableRandomGenerator, direction: number): number {
  const host = new SimulatedHost(level, random);
  const comparison = new SimulatedComparison(host, random);
  // A block begins with two launches of 100 ticks.
  host.restart((direction * steepRamp) / (20 * (200 + ticksOfBlock)));
  return mean(comparison.effects(20));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
