import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { adapters } from '../adapters/index.ts';
import { compareLatency } from '../src/compare/compare-latency.ts';
import { readSuite } from '../src/contract/suite.ts';
import { plainRule } from '../src/decide/rule.ts';
import { armOf } from '../src/measure/arm.ts';
import { planCells } from '../src/measure/plan-cells.ts';
import { slowedEntry } from '../src/measure/slowed-adapter.ts';

// Verdicts on this machine, where the truth is known: equal arms, and arms slowed by a known spin. One line a comparison. `--busy 2` keeps two
// processors busy meanwhile, and compares CPU time and then a few latencies.
const { values } = parseArgs({
  options: {
    variant: { type: 'string', default: 'dense.fused' },
    length: { type: 'string', default: '640' },
    equal: { type: 'string' },
    slowed: { type: 'string', default: '20' },
    metric: { type: 'string', default: 'latency' },
    busy: { type: 'string', default: '0' },
    first: { type: 'string', default: '1' },
    log: { type: 'string' },
  },
});

const matrix = { variants: [values.variant], backends: ['onnx-cpu'], lengths: [Number(values.length)] };
const [plan] = await planCells(readSuite({ name: 'live', matrix }, 'live'), adapters);
const spun = (share: number) => armOf({ ...plan!, entry: slowedEntry(plan!.entry, share) });

interface Tally {
  readonly outcomes: Record<string, number>;
  readonly estimates: number[];
  readonly blocks: number[];
  readonly seconds: number[];
}

interface Truth {
  readonly name: string;
  readonly count: number;
  /** By what share each arm is slowed. */
  readonly slowed: { readonly base: number; readonly new: number };
  readonly margin: number;
  readonly metric?: string;
}

async function compare({ name, count, slowed: shares, margin, metric = values.metric }: Truth): Promise<void> {
  if (count === 0) return;
  const rule = plainRule(metric === 'cpu-time' ? 'cpu-time' : 'latency', margin);
  const tally: Tally = { outcomes: {}, estimates: [], blocks: [], seconds: [] };
  const first = Number(values.first);
  for (let seed = first; seed < first + count; seed++) {
    const start = performance.now();
    const arms = { base: spun(shares.base), new: spun(shares.new) };
    const subject = { cell: plan!.cell.id, name };
    const { comparison } = await compareLatency(arms, subject, rule, { seed, floor: null, family: 1, timeoutSeconds: 120 });
    tally.outcomes[comparison.outcome] = (tally.outcomes[comparison.outcome] ?? 0) + 1;
    if (comparison.effect !== null) tally.estimates.push(comparison.effect.estimate);
    tally.blocks.push(comparison.blocks.length);
    tally.seconds.push((performance.now() - start) / 1000);
    const { outcome, effect, blocks } = comparison;
    const line = { name, seed, outcome, effect, blocks: blocks.map(({ logRatio }) => logRatio), seconds: tally.seconds.at(-1) };
    if (values.log !== undefined) appendFileSync(values.log, `${JSON.stringify(line)}\n`);
  }
  report(`${name}, ${metric}`, margin, tally);
}

function report(name: string, margin: number, { outcomes, estimates, blocks, seconds }: Tally): void {
  const mean = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
  const counts = Object.entries(outcomes).map(([outcome, count]) => `${count} ${outcome}`);
  console.log(
    `${name} (margin ${100 * margin} %): ${counts.join(', ')} of ${seconds.length}; mean effect ${(100 * mean(estimates)).toFixed(2)} %, ` +
      `${mean(blocks).toFixed(1)} blocks and ${mean(seconds).toFixed(1)} s a verdict, ${Math.max(...seconds).toFixed(1)} s at most`,
  );
}

/** A loop that no one who started attnswap is the parent of, so that it counts as other work; it ends soon after this process. */
function keepBusy(): void {
  const loop = `while kill -0 ${process.pid}; do i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done; done`;
  spawn('/bin/sh', ['-c', `(${loop}) 2>/dev/null &`], { stdio: 'ignore' });
}

const slowed = Number(values.slowed);
const busy = Number(values.busy);
const tenth = { name: 'slowed by 10 %', count: slowed, slowed: { base: 0, new: 0.1 }, margin: 0.05 };
const equal = { name: 'equal arms', count: Number(values.equal ?? (busy === 0 ? 200 : 100)), slowed: { base: 0, new: 0 }, margin: 0.05 };
if (busy === 0) {
  await compare(tenth);
  await compare({ name: 'slowed by 5 %', count: slowed, slowed: { base: 0, new: 0.05 }, margin: 0.02 });
  await compare({ name: 'swapped: quicker by 1/1.1', count: Math.ceil(slowed / 2), slowed: { base: 0.1, new: 0 }, margin: 0.05 });
  await compare(equal);
} else {
  for (let loop = 0; loop < busy; loop++) keepBusy();
  for (const truth of [tenth, equal]) await compare({ ...truth, metric: 'cpu-time' });
  for (const truth of [tenth, equal]) await compare({ ...truth, count: Math.ceil(truth.count / 20), metric: 'latency' });
}
