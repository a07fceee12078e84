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

/** Processor seconds of this process's descendants so far, by process. */
const used = new Map<number, { readonly name: string; readonly seconds: number }>();
const history: Array<{ readonly at: number; readonly node: number; readonly python: number; readonly processes: number }> = [];
function watch(): void {
  const { processes } = snapshotProcesses()!;
  const ours = new Set([process.pid]);
  for (let size = 0; size < ours.size;) {
    size = ours.size;
    for (const { pid, parent } of processes) if (ours.has(parent)) ours.add(pid);
  }
  for (const { pid, name, time } of processes) if (ours.has(pid)) used.set(pid, { name, seconds: time / 100 });
  history.push({ at: Date.now() / 1000, node: usedBy(/node|MainThread/), python: usedBy(/python/), processes: used.size });
}
const usedBy = (name: RegExp) => [...used.values()].reduce((sum, each) => sum + (name.test(each.name) ? each.seconds : 0), 0);

try {
  const timer = setInterval(watch, 20);
  await migrate({
    model: 'models/minilm-bert',
    data: ['samples/minilm/minilm.data.ts'],
    lengths: [128],
    items: Number(items),
    candidates: [candidate],
    until: 'swap',
    threads: 1,
    dir: join(folder, 'migration'),
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
  const [node, python] = [usedBy(/node|MainThread/) - started.node, usedBy(/python/) - started.python];
  const s = (seconds: number) => `${seconds.toFixed(1)} s`;
  const firsts = [...new Map(ours.toReversed().map((question) => [question.pid, question])).values()].filter(({ ask }) => ask === 'hello');
  const before = sum(firsts.map(({ cpuBefore }) => cpuBefore));
  console.log(`${candidate}, ${items} items, workers ${way}`);
  console.log(
    `processor time: ${s(node + python)}, ${((node + python) / cpu).toFixed(2)} × that of the model's calls (${s(cpu)}): Node ${s(node)}, Python ${s(python)}`,
  );
  console.log(`time: ${s(end - started.at)}, ${((end - started.at) / wall).toFixed(2)} × that of the model's calls (${s(wall)})`);
  console.log(
    `processes started: ${used.size - started.processes}; of them ${firsts.length} workers, with ${s(before)} of processor time before their first question`,
  );
  for (const [ask, found] of Map.groupBy(ours, (question) => question.ask)) {
    const [answers, calls] = [sum(found.map((question) => question.cpu)), sum(found.map((question) => question.calls.cpu))];
    console.log(`  ${ask}: ${found.length} times, processor time ${s(answers)}, of which calls ${s(calls)}`);
  }
}
