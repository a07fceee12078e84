import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { snapshotProcesses } from '../src/measure/heavy-processes.ts';
import { migrate } from '../src/operations/migrate.ts';

// What a candidate of a PyTorch model's migration costs beside its model calls: `npm run fetch-models && node samples/minilm/write-bert.ts &&
// npm run bench:candidate-cost [candidate] [forked|fresh] [items]`; `fresh` starts every worker anew instead of forking it (Linux).
const [candidate = 'window:w=16', way = 'forked', items = '192'] = process.argv.slice(2);
const folder = await mkdtemp(join(tmpdir(), 'attnswap-bench-'));
const log = join(folder, 'workers.jsonl');
process.env['WORKER_LOG'] = log;
process.env['PYTHONPATH'] = [fileURLToPath(new URL('./worker_log', import.meta.url)), process.env['PYTHONPATH']].filter(Boolean).join(':');
if (way === 'fresh') process.env['ATTNSWAP_FORKS'] = '';

interface Question {
  readonly pid: number;
  readonly ask: string;
  /** Seconds since 1970, and seconds. */
  readonly at: number;
  readonly cpuBefore: number;
  readonly wall: number;
  readonly cpu: number;
  /** Whether it puts attention into the model. */
  readonly swaps: boolean;
  /** Of the model, in this answer. */
  readonly calls: { readonly wall: number; readonly cpu: number };
}

/** Processes so far, by number, and processor seconds of this process and its descendants, those that have ended included, less what looking at them took. */
const seen = new Map<number, string>();
const history: Array<{ readonly at: number; readonly own: number; readonly all: number; readonly nodes: number }> = [];
let looking = 0;
function watch(): void {
  const begun = process.threadCpuUsage();
  const { processes } = snapshotProcesses()!;
  const ours = new Set([process.pid]);
  for (let size = 0; size < ours.size;) {
    size = ours.size;
    for (const { pid, parent } of processes) if (ours.has(parent)) ours.add(pid);
  }
  const found = processes.filter(({ pid }) => ours.has(pid));
  for (const { pid, name } of found) if (pid !== process.pid) seen.set(pid, name);
  const all = found.reduce((sum, { time, reapedTime }) => sum + (time + reapedTime) / 100, 0);
  const own = found.find(({ pid }) => pid === process.pid)!.time / 100;
  history.push({
    at: Date.now() / 1000,
    own: own - looking,
    all: all - looking,
    nodes: [...seen.values()].filter((name) => /node|MainThread/.test(name)).length,
  });
  const { user, system } = process.threadCpuUsage(begun);
  looking += (user + system) / 1e6;
}

/** What was begun when. */
const parts: Array<{ readonly at: number; readonly what: string }> = [];

try {
  const timer = setInterval(watch, 200);
  await migrate({
    model: 'models/minilm-bert',
    data: ['samples/minilm/minilm.data.ts'],
    lengths: [128],
    items: Number(items),
    candidates: [candidate],
    until: 'swap',
    threads: 1,
    dir: join(folder, 'migration'),
    onProgress({ what }) {
      watch();
      parts.push({ at: Date.now() / 1000, what: what.replace(/^.*: |, block .*$/g, '') });
    },
  });
  const end = Date.now() / 1000;
  watch();
  clearInterval(timer);
  report(end);
} finally {
  await rm(folder, { recursive: true });
}

function report(end: number): void {
  const questions = readFileSync(log, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Question);
  // A candidate begins by being put into the model.
  const { at: begun } = questions.find(({ swaps }) => swaps)!;
  const started = history.findLast(({ at }) => at <= begun)!;
  const ours = questions.filter(({ at }) => at >= started.at);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const [wall, cpu] = [sum(ours.map(({ calls }) => calls.wall)), sum(ours.map(({ calls }) => calls.cpu))];
  const at = (time: number) => history.findLast((each) => each.at <= time) ?? started;
  const last = history.at(-1)!;
  const s = (seconds: number) => `${seconds.toFixed(1)} s`;
  const firsts = [...new Map(ours.toReversed().map((question) => [question.pid, question])).values()].filter(
    ({ ask }) => ask === 'hello' || ask === 'model-open',
  );
  const before = sum(firsts.map(({ cpuBefore }) => cpuBefore));
  const [all, own] = [last.all - started.all, last.own - started.own];
  console.log(`${candidate}, ${items} items, workers ${way}`);
  console.log(`processor time: ${s(all)}, ${(all / cpu).toFixed(2)} × that of the model's calls (${s(cpu)}); of this process ${s(own)}`);
  console.log(`time: ${s(end - started.at)}, ${((end - started.at) / wall).toFixed(2)} × that of the model's calls (${s(wall)})`);
  console.log(
    `started: ${last.nodes - started.nodes} Node processes, and ${firsts.length} workers, with ${s(before)} of processor time before their first question`,
  );
  // By what was told to begin, and until when; calls of the model are part of it.
  const ended = [...parts.slice(1).map((part) => part.at), end];
  const spans = parts
    .map((part, place) => ({ from: Math.max(part.at, started.at), to: ended[place]!, what: part.what }))
    .filter(({ from, to }) => from < to);
  for (const [what, found] of Map.groupBy(spans, (span) => span.what)) {
    const took = (figure: (seen: (typeof history)[number]) => number) =>
      sum(found.map(({ from, to }) => figure(at(to)) - figure(at(from))));
    const asked = ours.filter((question) => found.some(({ from, to }) => question.at >= from && question.at < to));
    const [calls, callsCpu, workers] = [
      sum(asked.map((each) => each.calls.wall)),
      sum(asked.map((each) => each.calls.cpu)),
      sum(asked.map((each) => each.cpu)),
    ];
    console.log(
      `  ${what}: ${s(sum(found.map(({ from, to }) => to - from)))}, calls ${s(calls)}; processor time ${s(took((each) => each.all))}: workers' answers ${s(workers)}, of which calls ${s(callsCpu)}; this process ${s(took((each) => each.own))}`,
    );
  }
  for (const [ask, found] of Map.groupBy(ours, (question) => question.ask)) {
    const [answers, calls] = [sum(found.map((question) => question.cpu)), sum(found.map((question) => question.calls.cpu))];
    console.log(`  ${ask}: ${found.length} times, processor time ${s(answers)}, of which calls ${s(calls)}`);
  }
}
