import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { defaultLooks } from '../src/decide/sequential.ts';
import { minimumDetectableEffect } from '../src/statistics/power.ts';
import { noiseLevels } from './statistics/host.ts';
import { simulateOurs, simulateRamp } from './statistics/ours.ts';
import type { Variation } from './statistics/report.ts';
import { report } from './statistics/report.ts';
import { rivals } from './statistics/rivals/index.ts';
import type { LevelTally } from './statistics/targets.ts';
import type { RivalTally } from './statistics/theirs.ts';
import { simulateRival } from './statistics/theirs.ts';

// How often are the verdicts wrong? Simulated comparisons with known truth, judged by our rule and by those of other tools.
// `npm run bench:statistics -- [--runs 10000] [--seed 1] [--write]`; --write renews docs/statistics.md.
const page = fileURLToPath(new URL('../docs/statistics.md', import.meta.url));
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    write: { type: 'boolean', default: false },
  },
});
const options = { runs: Number(values.runs), seed: Number(values.seed) };
if (!(options.runs >= 1) || !Number.isInteger(options.seed))
  throw new RangeError(`--runs and --seed must be whole numbers, got ${JSON.stringify(values)}`);

const levels = noiseLevels.map((level): LevelTally => {
  console.error(`attnswap, ${level.name}`);
  const tally = simulateOurs(level, options);
  const plan = { standardDeviation: tally.block.rootMeanSquare, blocks: defaultLooks.looks.at(-1)!, tail: defaultLooks.tail, power: 0.9 };
  const smallestMargin = 2 * Math.expm1(minimumDetectableEffect(plan));
  return { ...tally, level, smallestMargin, rampShift: simulateRamp(level, options) };
});
const theirs = rivals.map((rival) => {
  console.error(rival.name);
  return noiseLevels.map((level) => simulateRival(rival, level, options)) as [RivalTally, ...RivalTally[]];
});
const typical = noiseLevels[1]!;
const variations = [
  { name: 'all of it', level: typical },
  { name: 'launches alike', level: { ...typical, process: 0 } },
  { name: 'no drift, no ramp', level: { ...typical, drifts: false } },
  { name: 'neither', level: { ...typical, process: 0, drifts: false } },
].map(({ name, level }, index): Variation => {
  console.error(name);
  const ours = index === 0 ? levels[1]! : simulateOurs(level, options);
  return { name, ours, rivals: rivals.map((rival, row) => (index === 0 ? theirs[row]![1]! : simulateRival(rival, level, options))) };
});
const text = report({ ...options, levels, rivals: theirs, variations });
console.log(text);
// What was seen on real machines is not simulated, and stays.
const live = '\n## On real machines\n';
if (values.write)
  await writeFile(page, [text, (await readFile(page, 'utf8')).split(live)[1]].filter((part) => part !== undefined).join(live));
