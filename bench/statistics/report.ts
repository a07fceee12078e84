import { defaultLooks } from '../../src/decide/sequential.ts';
import { ticksPerSecond } from './host.ts';
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
  /** The same with as few rounds a block as there may be. */
  readonly fewRounds: { readonly rounds: number; readonly tallies: readonly OurTally[] };
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
  return `# What the verdicts are worth

Simulated comparisons with known truth, judged by the code that judges real ones (\`src/decide/sequential.ts\`, \`src/statistics/\`).
Written by \`npm run bench:statistics -- --runs ${results.runs} --seed ${results.seed} --write\`; the same command gives the same page.

${[noiseSection, targetSection, ruleSection, rivalSection].map((section) => section(results)).join('\n\n')}

## What to hold against these figures
- They are a model's. The last table says what they hang on: a test on the samples of one launch is honest only where launches are alike and samples independent.
- Others can be told to launch more often or to interleave (\`asv continuous --interleave-rounds\`, benchstat over several launches), and NVBench has a newer
  rule (nvbench-compare-robust). None of that was simulated, and all of it would help them.
- On quiet and typical machines asv never calls an equal program slower, and it samples for a fraction of a second. It does not look for less than its factor: a true 10 % stands
  on its threshold, which half of the medians exceed.
- On quiet machines criterion.rs, benchstat, compare.py and nvbench_compare find a true 5 % as surely as attnswap, with two launches against its ten.
- Being one of ${matrix} takes more blocks. On a calibrated host it costs power too, where the floor is close to Δ/2: «found» falls, «open» rises.
- A slowdown below Δ/2 is never looked for: it passes. Between Δ/2 and Δ both verdicts count as right.
- Warm-up, changes of clock speed during a block, and processes that disturb each other by being resident together are not in the model.
`;
}

function noiseSection({ runs, levels }: Results): string {
  return `## The noise
A sample lasts 5 ms. ln(duration) = ln(truth) + the process's own effect + noise. Noise is divided between drift (AR(1)), a linear ramp (full height in
30 s), heavy tails (Student's t, 3 degrees) and spikes (1 sample in 100, exponential, upwards); every machine divides it differently, all divisions being
equally likely, and its drift forgets in 50 ms to 5 s. Drift and ramp are shared by all processes of a machine.

${runs} machines a level, each measuring ${matrix} pairs of equal programs. A share of 1 % of them is known to ± ${percent(twoErrors(0.01, runs))}, one of 95 % to ± ${percent(twoErrors(0.95, runs))} (two standard
errors); 0 of them means below ${percent(3 / runs)}.

${table(['level', 'CV of a process’s samples', 'sd of processes', 'sd of a block', 'A/A floor: 95 % of θ over 5 blocks are smaller', 'smallest margin a gate admits'], levels.map(noiseRow))}`;
}

function targetSection({ levels }: Results): string {
  const targets = targetsOf(levels);
  const missed = targets.filter((target) => !target.met).length;
  const rows = targets.map(({ what, level, wanted, got, met }) => [what, level, wanted, got, met ? 'met' : '**missed**']);
  return `## Targets: ${missed === 0 ? 'all' : `${targets.length - missed} of ${targets.length}`} met
${table(['target', 'level', 'wanted', 'got', ''], rows)}`;
}

function ruleSection({ levels, fewRounds }: Results): string {
  const few = fewRounds.tallies.flatMap(({ rules }, index) => rules.map((rule) => ruleRow(levels[index]!.level.name, rule)));
  return `## The rule in full
A block is a fresh pair of processes and 10 to 20 rounds, ABBA or BAAB at random in three visits, two samples dropped at each visit, two kept a letter; looks at
${defaultLooks.looks.join(', ')} blocks, one-sided error ${defaultLooks.tail} each. A cell that is «one of ${matrix}» must for «slower» and «faster» also show a change at all, or one above the
floor where the host is calibrated («floor»), at that error divided by ${matrix}. Alone the floor changes nothing where it is below Δ/2. Equal arms:
«slower», «faster» and «open» (inconclusive) are shares of single comparisons, «slower in ${matrix}» the share of matrices with any. At a true slowdown of Δ: «found» is a regression, «passed» an error, «open» the rest. «2Δ found» is the same at twice the margin.

${table(
  ruleHeader,
  levels.flatMap(({ level, rules }) => rules.map((rule) => ruleRow(level.name, rule))),
)}

The same with ${fewRounds.rounds} rounds a block, the fewest that a slow cell gets:

${table(ruleHeader, few)}

Coverage of Student's 95 % interval over blocks, and what a ramp of ±20 % over 20 blocks adds to θ (against the same noise without it; measuring all of A first
and then all of B it would be 9.5 %):

${table(['level', ...coverageBlocks.map((blocks) => `${blocks} blocks`), 'shift, rms', 'shift, largest'], levels.map(coverageRow))}`;
}

function rivalSection(results: Results): string {
  return `## The rules of other tools on the same machines
Each in its default form: base first, then candidate, in launches of their own. «s» is the time spent sampling both arms, without launches and warm-up.
attnswap at Δ = 5 %, judged alone; «s» of equal arms.

${table(['tool', 'level', 'equal: slower', 'true 5 %: slower', 'true 10 %: slower', 's'], rivalRows(results))}

${results.rivals.map(([{ rival }]) => `- **${rival.name}**: ${rival.rule}.`).join('\n')}

How often equal programs are called slower, typical level, when part of the noise is taken away (its CV stays):

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
