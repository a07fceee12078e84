import type { NoiseLevel } from './host.ts';
import type { OurTally, RuleTally } from './ours.ts';
import { coverageBlocks } from './ours.ts';
import { percent } from './table.ts';
import type { Figures } from './tally.ts';

export interface LevelTally extends OurTally {
  readonly level: NoiseLevel;
  /** The smallest margin that calibration admits on this machine: twice the smallest detectable effect of as many blocks as there may be. */
  readonly smallestMargin: number;
  /** What a ramp of ±20 % adds to θ. */
  readonly rampShift: Figures;
}

/** A target, the figure that it asks about, and whether the figure meets it. */
export interface Target {
  readonly what: string;
  readonly level: string;
  readonly wanted: string;
  readonly got: string;
  readonly met: boolean;
}

const powers = [
  { margin: 0.02, level: 'quiet', least: 0.9 },
  { margin: 0.02, level: 'typical', least: 0.9 },
  { margin: 0.05, level: 'typical', least: 0.95 },
  { margin: 0.1, level: 'quiet', least: 0.97 },
  { margin: 0.1, level: 'typical', least: 0.97 },
  { margin: 0.1, level: 'noisy', least: 0.97 },
];

export function targetsOf(levels: readonly LevelTally[]): Target[] {
  return levels.flatMap((level) => [
    ...level.rules.filter(({ family }) => family > 1).map((rule) => falseRegressions(level, rule)),
    ...level.rules.flatMap((rule) => powerTargets(level, rule)),
    ...level.rules.map((rule) => falsePasses(level, rule)),
    ...level.coverage.map(({ rate }, index) => coverageTarget(level, coverageBlocks[index]!, rate)),
    { what: 'largest shift of θ by a ramp of ±20 %', level: level.level.name, ...atMost(level.rampShift.largest, 0.002) },
  ]);
}

function falseRegressions(level: LevelTally, rule: RuleTally): Target {
  const refused = rule.margin < level.smallestMargin ? ' (a gate refuses this margin here)' : '';
  const what = `${titleOf(rule)}: any false regression in ${rule.family} equal cells${refused}`;
  return { what, level: level.level.name, ...atMost(rule.falseRegressionInMatrix.rate, 0.01) };
}

function powerTargets({ level }: LevelTally, rule: RuleTally): Target[] {
  const { rate } = rule.power;
  return powers
    .filter((target) => target.level === level.name && target.margin === rule.margin)
    .map(({ least }) => {
      const figures = { wanted: `≥ ${percent(least)}`, got: percent(rate), met: rate >= least };
      return { what: `${titleOf(rule)}: regression found`, level: level.name, ...figures };
    });
}

function falsePasses({ level }: LevelTally, rule: RuleTally): Target {
  return { what: `${titleOf(rule)}: passed at a true slowdown of Δ`, level: level.name, ...atMost(rule.falsePass.rate, 0.05) };
}

function titleOf({ margin, judged }: RuleTally): string {
  return `Δ = ${percent(margin)}, ${judged}`;
}

function atMost(rate: number, most: number) {
  return { wanted: `≤ ${percent(most)}`, got: percent(rate), met: rate <= most };
}

function coverageTarget({ level }: LevelTally, blocks: number, rate: number): Target {
  const met = rate >= 0.93 && rate <= 0.97;
  return { what: `coverage of 95 % by ${blocks} blocks`, level: level.name, wanted: '93–97 %', got: percent(rate), met };
}
