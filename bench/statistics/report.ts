import { defaultLooks } from '../../src/decide/sequential.ts';
import { rounds } from './comparison.ts';
import { ticksPerSecond } from './host.ts';
import { visitsOf } from '../../src/measure/pair-block.ts';
import type { OurTally, RuleTally } from './ours.ts';
import { cellsOfMatrix as matrix, coverageBlocks } from './ours.ts';
import { percent, table } from './table.ts';
import type { LevelTally } from './targets.ts';
import { targetsOf } from './targets.ts';
import type { RivalTally } from './theirs.ts';

export interface Results {
  readonly runs: number;
  readonly seed: number;
  readonly levels: readonly LevelTally[];
  /** One tally for each of `levels`, rival by rival. */
  readonly rivals: readonly (readonly [RivalTally, ...RivalTally[]])[];
  readonly variations: readonly Variation[];
}

/** The same at one level, with part of the noise taken away. */
export interface Variation {
  readonly name: string;
  readonly ours: OurTally;
  readonly rivals: readonly RivalTally[];
}

const ruleHeader = [
  'level',
  'Δ',
  'judged',
  'equal: slower',
  'faster',
  'open',
  'blocks',
  `slower in ${matrix}`,
  'at Δ: found',
  'passed',
  'open',
  'blocks',
  '2Δ found',
];

/** The page docs/statistics.md. */
export function report(results: Results): string {
  return `# Error rates of the verdicts

How often is a verdict wrong? Here, comparisons with known truth are simulated and judged by the same code as real ones (\`src/decide/sequential.ts\`, \`src/statistics/\`). The page is written by \`npm run bench:statistics -- --runs ${results.runs} --seed ${results.seed} --write\`; the same command produces the same page.

${[noiseSection, ruleSection, targetSection, rivalSection].map((section) => section(results)).join('\n\n')}

## Limitations
- These figures come from a model. The last table shows what they depend on: a test on the samples of one launch is valid only if launches do not differ and samples are independent.
- Other tools can launch more often or interleave (\`asv continuous --interleave-rounds\`, benchstat over several launches), and NVBench has a newer rule (nvbench-compare-robust). None of that was simulated, and all of it would help them.
- On quiet and typical machines, asv never calls an equal program slower, and it samples for only a fraction of a second. It does not look for changes below its factor: a true 10 % is exactly at its threshold, which half of the medians exceed.
- On quiet machines, criterion.rs, benchstat, compare.py and nvbench_compare find a true 5 % as reliably as attnswap, with two launches instead of twelve.
- Judging a cell as one of ${matrix} takes more blocks. On a calibrated host it also costs power if the floor is close to Δ/2: "found" falls and "open" rises.
- Slowdowns below Δ/2 are not looked for: they pass. Between Δ/2 and Δ, both verdicts count as correct.
- The model does not include warm-up, changes of clock speed during a block, calls that other work disturbs by the dozen, or processes that disturb each other by being resident at the same time.
`;
}

function noiseSection({ runs, levels }: Results): string {
  return `## Noise model
A sample lasts 5 ms, and ln(duration) = ln(truth) + process effect + noise. The noise consists of drift (AR(1)), a linear ramp (full height in 30 s), heavy tails (Student's t, 3 degrees of freedom) and spikes (1 sample in 100, exponential, upward). Each machine mixes these differently, all mixtures being equally likely, and its drift has a correlation time of 50 ms to 5 s. All processes of a machine share drift and ramp.

${runs} machines per level, each measuring ${matrix} pairs of equal programs. A share of 1 % is accurate to ± ${percent(twoErrors(0.01, runs))}, one of 95 % to ± ${percent(twoErrors(0.95, runs))} (two standard errors); 0 % means below ${percent(3 / runs)}.

${table(['level', 'CV of samples in a process', 'sd between processes', 'sd of blocks', 'A/A floor: 95 % of θ over 5 blocks are smaller', 'smallest margin a gate accepts'], levels.map(noiseRow))}`;
}

function targetSection({ levels }: Results): string {
  const targets = targetsOf(levels);
  const missed = targets.filter((target) => !target.met).length;
  const rows = targets.map(({ what, level, wanted, got, met }) => [what, level, wanted, got, met ? 'met' : '**missed**']);
  return `## Targets: ${missed === 0 ? 'all' : `${targets.length - missed} of ${targets.length}`} met
${table(['target', 'level', 'required', 'measured', ''], rows)}`;
}

const visits = visitsOf(1e9 / ticksPerSecond);

function ruleSection({ levels }: Results): string {
  return `## Results in full
A block is a fresh pair of processes with ${rounds} rounds, each ABBA or BAAB at random, in three visits. At each visit, ${visits.dropped} samples are dropped and ${visits.kept} kept per letter. The result is examined after ${defaultLooks.looks.join(', ')} blocks, with a one-sided error of ${defaultLooks.tail} each. At n < ${defaultLooks.waryBefore} blocks, "slower" must exceed Δ/2 × ${defaultLooks.waryBefore}/n instead of Δ/2, because a few blocks may agree by chance.

- **alone**: a comparison on its own. A floor below Δ/2 changes nothing for it.
- **one of ${matrix}**: "slower" and "faster" must also show that there is a change at all, at that error divided by ${matrix}.
- **one of ${matrix}, floor**: they must show a change above the floor of a calibrated host.

Columns for equal arms: "slower", "faster" and "open" (inconclusive) are shares of single comparisons; "slower in ${matrix}" is the share of matrices with at least one. Columns for a true slowdown of Δ: "found" is a regression, "passed" is an error, "open" is the rest; "2Δ found" is the same at twice the margin.

${table(
  ruleHeader,
  levels.flatMap(({ level, rules }) => rules.map((rule) => ruleRow(level.name, rule))),
)}

Coverage of the 95 % Student t interval over blocks, and the shift of θ caused by a ramp of ±20 % over 20 blocks, compared with the same noise without the ramp (9.5 % if all of A were measured first and then all of B):

${table(['level', ...coverageBlocks.map((blocks) => `${blocks} blocks`), 'shift, rms', 'shift, largest'], levels.map(coverageRow))}`;
}

function rivalSection(results: Results): string {
  return `## The rules of other tools on the same machines
Each tool is used in its default form: first the base, then the candidate, in separate launches. attnswap judges at Δ = 5 %, alone. "s" is the time in seconds spent sampling both arms, without launches and warm-up (attnswap: for equal arms).

${table(['tool', 'level', 'equal: slower', 'true 5 %: slower', 'true 10 %: slower', 's'], rivalRows(results))}

${results.rivals.map(([{ rival }]) => `- **${rival.name}**: ${rival.rule}.`).join('\n')}

How often equal programs are called slower at the typical level when part of the noise is removed (at the same CV):

${table(['tool', ...results.variations.map(({ name }) => name)], variationRows(results))}`;
}

function twoErrors(share: number, runs: number): number {
  return 2 * Math.sqrt((share * (1 - share)) / runs);
}

function noiseRow({ level, block, floor, smallestMargin }: LevelTally): string[] {
  return [level.name, ...[level.cv, level.process, block.rootMeanSquare, floor, smallestMargin].map(percent)];
}

function ruleRow(level: string, rule: RuleTally): string[] {
  return [
    level,
    percent(rule.margin),
    rule.judged,
    percent(rule.falseRegression.rate),
    percent(rule.falseImprovement.rate),
    percent(rule.inconclusive.rate),
    rule.blocksUsed.mean.toFixed(1),
    percent(rule.falseRegressionInMatrix.rate),
    percent(rule.power.rate),
    percent(rule.falsePass.rate),
    percent(rule.inconclusiveAtMargin.rate),
    rule.blocksUsedAtMargin.mean.toFixed(1),
    percent(rule.powerAtTwice.rate),
  ];
}

/** The rule that is set beside the other tools'. */
function besideRivals({ rules }: OurTally): RuleTally {
  return rules.find(({ margin, family }) => margin === 0.05 && family === 1)!;
}

function coverageRow({ level, coverage, rampShift }: LevelTally): string[] {
  return [level.name, ...coverage.map(({ rate }) => percent(rate)), percent(rampShift.rootMeanSquare), percent(rampShift.largest)];
}

function rivalRows({ levels, rivals }: Results): string[][] {
  const ours = levels.map((tally) => {
    const { falseRegression, power, powerAtTwice, blocksUsed } = besideRivals(tally);
    const shares = [falseRegression, power, powerAtTwice].map(({ rate }) => percent(rate));
    return ['attnswap', tally.level.name, ...shares, seconds(tally.samples.mean * blocksUsed.mean)];
  });
  const theirs = rivals.flatMap((tallies) =>
    tallies.map(({ rival, slower, samples }, index) => [
      rival.name,
      levels[index]!.level.name,
      ...slower.map(({ rate }) => percent(rate)),
      seconds(samples.mean),
    ]),
  );
  return [...ours, ...theirs];
}

function variationRows({ variations, rivals }: Results): string[][] {
  const ours = variations.map(({ ours }) => percent(besideRivals(ours).falseRegression.rate));
  const theirs = rivals.map(([{ rival }], row) => [
    rival.name,
    ...variations.map((variation) => percent(variation.rivals[row]!.slower[0]!.rate)),
  ]);
  return [['attnswap', ...ours], ...theirs];
}

function seconds(samples: number): string {
  return (samples / ticksPerSecond).toFixed(1);
}
