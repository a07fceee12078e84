import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { table } from '../src/text/layout.ts';
import { endure, outcomes, patienceMs } from '../tests/damage/endure.ts';
import type { Outcome, Verdict } from '../tests/damage/endure.ts';
import { allReaders } from '../tests/damage/index.ts';

/**
 * Damaged inputs over all readers, seeded: each is read as what it says, or refused by an error of attnswap's own. Prints how many of which
 * reader came to what; fails where one ends in another error, is read as something else, or takes longer than ten seconds.
 *   node bench/damage.ts [--inputs 100000] [--seed 1] [--reader name [--first 0]]
 */
const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    reader: { type: 'string' },
    first: { type: 'string', default: '0' },
  },
});

interface Job {
  readonly reader: string;
  /** Number of the first input; the number after the last. */
  readonly first: number;
  readonly end: number;
}

interface Work {
  readonly folder: string;
  readonly jobs: readonly Job[];
  /** Which job, and which of its inputs, is read now; −1 before the first. */
  readonly at: SharedArrayBuffer;
}

type Message = Verdict & { readonly reader: string; readonly index: number; readonly ms: number };

if (isMainThread) await main();
else await work(workerData as Work);

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'attnswap-damage-'));
  const begun = performance.now();
  const tallies = new Map<string, Map<Outcome | 'ms', number>>();
  try {
    const readers = (await allReaders(folder)).filter(({ name }) => values.reader === undefined || name === values.reader);
    const shares = readers.reduce((sum, { share }) => sum + share, 0);
    const [total, first] = [Number(values.inputs), Number(values.first)];
    const jobs = readers.map(({ name, share }) => ({ reader: name, first, end: first + Math.ceil((total * share) / shares) }));
    for (const { reader } of jobs) tallies.set(reader, new Map());
    await attended(folder, jobs, ({ reader, index, outcome, problem, ms }) => {
      const tally = tallies.get(reader)!;
      for (const [what, more] of [
        [outcome, 1],
        ['ms', ms],
      ] as const)
        tally.set(what, (tally.get(what) ?? 0) + more);
      if (problem === undefined) return;
      process.exitCode = 1;
      if (tally.get(outcome)! <= 5) console.log(`${reader} #${index}: ${outcome}: ${problem}`);
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const rows = [...tallies].map(([reader, tally]) => [
    reader,
    ...outcomes.map((outcome) => String(tally.get(outcome) ?? 0)),
    `${((tally.get('ms') ?? 0) / 1000).toFixed(1)} s`,
  ]);
  console.log(table([['reader', ...outcomes, 'time'], ...rows]));
  const count = [...tallies.values()].reduce(
    (sum, tally) => sum + outcomes.reduce((all, outcome) => all + (tally.get(outcome) ?? 0), 0),
    0,
  );
  console.log(`${count} damaged inputs in ${((performance.now() - begun) / 60_000).toFixed(1)} min`);
}

/**
 * Reads in a thread, which is ended where one input holds it up, and goes on in another. What holds up two threads is late: a busy machine may hold up
 * one.
 */
async function attended(folder: string, jobs: readonly Job[], tell: (message: Message) => void, suspect = ''): Promise<void> {
  const at = new SharedArrayBuffer(8);
  const now = new Int32Array(at).fill(-1);
  const thread = new Worker(new URL(import.meta.url), { workerData: { folder, jobs, at } satisfies Work });
  const { promise: held, resolve } = Promise.withResolvers<'held'>();
  let [seen, since] = ['', performance.now()];
  const watch = setInterval(() => {
    const read = now.join();
    if (read !== seen || now[0]! < 0) [seen, since] = [read, performance.now()];
    else if (performance.now() - since > patienceMs) resolve('held');
  }, 200);
  thread.on('message', tell);
  const ended = new Promise<'ended'>((done, fail) => thread.once('exit', () => done('ended')).once('error', fail));
  const how = await Promise.race([held, ended]).finally(() => clearInterval(watch));
  if (how === 'ended') return;
  await thread.terminate();
  const [job = 0, index = 0] = now;
  const { reader } = jobs[job]!;
  const input = `${reader} #${index}`;
  const isLate = input === suspect;
  if (isLate) tell({ reader, index, ms: patienceMs, outcome: 'late', problem: `more than ${patienceMs / 1000} s` });
  await attended(folder, [{ ...jobs[job]!, first: isLate ? index + 1 : index }, ...jobs.slice(job + 1)], tell, input);
}

async function work({ folder, jobs, at }: Work): Promise<void> {
  const now = new Int32Array(at);
  const readers = await allReaders(await mkdtemp(join(folder, 'thread-')));
  for (const [job, { reader: name, first, end }] of jobs.entries()) {
    const reader = readers.find((each) => each.name === name)!;
    for (let index = first; index < end; index += 1) {
      now.set([job, index]);
      const begun = performance.now();
      const verdict = await endure(reader, Number(values.seed), index);
      parentPort!.postMessage({ ...verdict, reader: name, index, ms: performance.now() - begun } satisfies Message);
    }
  }
}
