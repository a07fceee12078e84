import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { adapters } from '../adapters/index.ts';
import { compareLatency } from '../src/compare/compare-latency.ts';
import { readSuite } from '../src/contract/suite.ts';
import { plainRule } from '../src/decide/rule.ts';
import { armOf } from '../src/measure/arm.ts';
import type { Arm } from '../src/measure/arm.ts';
import { planCells } from '../src/measure/plan-cells.ts';

// Verdicts on this machine, where the truth is known: equal arms, and arms with more heads, whose calls do that much more work. (A spin behind each call
// would not be as long as it says: the calls themselves get quicker by it.) Two threads share the heads evenly. One line a truth. `--busy 2` keeps two
// processors busy meanwhile, and compares CPU time and then a few latencies.
const { values } = parseArgs({
  options: {
    variant: { type: 'string', default: 'dense.fused' },
    length: { type: 'string', default: '640' },
    equal: { type: 'string' },
    more: { type: 'string', default: '20' },
    metric: { type: 'string', default: 'latency' },
    busy: { type: 'string', default: '0' },
    first: { type: 'string', default: '1' },
    log: { type: 'string' },
  },
});

async function armWith(heads: number): Promise<Arm> {
  const matrix = { variants: [values.variant], backends: ['onnx-cpu'], lengths: [Number(values.length)], heads };
  const [plan] = await planCells(readSuite({ name: 'live', matrix }, 'live'), adapters);
  return armOf(plan!, undefined, 2);
}

interface Tally {
  readonly outcomes: Record<string, number>;
  readonly estimates: number[];
  readonly blocks: number[];
  readonly seconds: number[];
}

interface Truth {
  readonly name: string;
  readonly count: number;
  /** Heads of each arm. */
  readonly heads: { readonly base: number; readonly new: number };
  readonly margin: number;
  readonly metric?: string;
}

async function compare({ name, count, heads, margin, metric = values.metric }: Truth): Promise<void> {
  if (count === 0) return;
  const rule = plainRule(metric === 'cpu-time' ? 'cpu-time' : 'latency', margin);
  const tally: Tally = { outcomes: {}, estimates: [], blocks: [], seconds: [] };
  const first = Number(values.first);
  const arms = { base: await armWith(heads.base), new: await armWith(heads.new) };
  for (let seed = first; seed < first + count; seed++) {
    const start = performance.now();
    const subject = { cell: name, name };
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

const more = Number(values.more);
const busy = Number(values.busy);
const tenth = { name: '10 % more work', count: more, heads: { base: 20, new: 22 }, margin: 0.05 };
const equal = { name: 'equal arms', count: Number(values.equal ?? (busy === 0 ? 200 : 100)), heads: { base: 8, new: 8 }, margin: 0.05 };
if (busy === 0) {
  await compare(tenth);
  await compare({ name: '5 % more work', count: more, heads: { base: 40, new: 42 }, margin: 0.02 });
  await compare({ name: 'swapped: 1/1.1 of the work', count: Math.ceil(more / 2), heads: { base: 22, new: 20 }, margin: 0.05 });
  await compare(equal);
} else {
  for (let loop = 0; loop < busy; loop++) keepBusy();
  for (const truth of [tenth, equal]) await compare({ ...truth, metric: 'cpu-time' });
  for (const truth of [tenth, equal]) await compare({ ...truth, count: Math.ceil(truth.count / 20), metric: 'latency' });
}
