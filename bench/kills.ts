import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import * as model from '../tests/models/torchscript-bert.ts';
import { table } from '../src/text/layout.ts';

// Does a kill lose anything? Runs `bench`, `gate`, `migrate` and `tune` of small subjects over and over, ends each by a signal at a drawn moment, and
// starts it again. What a folder or record held after a kill must be there after the next one; no process may outlive its command; and once a
// command was let end, no lock, no temporary folder and no file half written may be left. Linux only.
//   node bench/kills.ts [kills of each command, 10] [longest wait before a kill in seconds, 12]

const [kills = 10, longestSeconds = 12] = process.argv.slice(2).map(Number);
const signals = ['SIGKILL', 'SIGTERM', 'SIGHUP', 'SIGINT'] as const;
const main = fileURLToPath(new URL('../src/cli/attnswap.js', import.meta.url));
const marker = 'ATTNSWAP_KILLS';
/** Longest time that processes of a command may take to notice that it is gone. */
const noticeSeconds = 10;

interface Subject {
  readonly name: string;
  readonly args: readonly string[];
  /** Of every start but the first. */
  readonly again?: readonly string[];
  /** Where it keeps what it reached, and that by name. */
  kept(cwd: string): Record<string, unknown>;
}

const matrix = {
  variants: ['dense.fused', 'dense.tiled', 'window:w=8', 'topk:k=4'],
  backends: ['onnx-cpu'],
  lengths: [64, 128],
  heads: 2,
  headDim: 16,
};
const files: Readonly<Record<string, string | Uint8Array>> = {
  'many.suite.ts': `export default ${JSON.stringify({ name: 'many', matrix, sampleSeconds: 0.1, wasteRows: 16, gates: [{ metric: 'latency', margin: 0.5 }] })};\n`,
  'tiny.suite.ts': `export default ${JSON.stringify({
    name: 'tiny',
    task: 'recall:pairs=2,length=16,keys=8,values=8',
    model: { layers: 1, width: 16, heads: 2, hidden: 16 },
    candidates: ['topk:k=3'],
    space: { learningRate: [0.01, 0.003], techniques: [[], ['distil']] },
    items: { train: 2048, validation: 64, test: 64 },
    training: { epochs: 4, batch: 16 },
    search: { trials: 2, seeds: 1 },
  })};\n`,
  'model.onnx': model.build({ seed: 1 }),
  'mine.data.mjs': `export async function items({ lengths, itemsPerLength, seed }) {
  const ids = (length, at) => BigInt64Array.from({ length }, (_, token) => BigInt((7 * token + 13 * (seed + at)) % 90));
  const input = (data, length) => ({ type: 'int64', dims: [1, length], data });
  return lengths.flatMap((length) => Array.from({ length: itemsPerLength }, (_, at) => ({
    id: length + '-' + at, length, feeds: { input_ids: input(ids(length, at), length), attention_mask: input(new BigInt64Array(length).fill(1n), length) },
  })));
}
`,
};

const stepsIn = (path: string) => (cwd: string) =>
  existsSync(join(cwd, path)) ? (JSON.parse(readFileSync(join(cwd, path), 'utf8')) as { steps: Record<string, unknown> }).steps : {};

const migration = [
  '--data',
  'mine.data.mjs',
  '--lengths',
  '16',
  '--items',
  '2',
  '--candidate',
  'dense.fused',
  '--max-blocks',
  '2',
  '--dir',
  'state',
];
const subjects: readonly Subject[] = [
  {
    name: 'bench',
    args: ['bench', './many.suite.ts'],
    again: ['--resume'],
    kept(cwd) {
      const path = join(cwd, 'runs/many.run.json');
      const { cells } = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as { cells: Array<{ id: string }> }) : { cells: [] };
      return Object.fromEntries(cells.map((cell) => [cell.id, cell]));
    },
  },
  { name: 'gate', args: ['gate', './many.suite.ts', '--max-blocks', '2', '--block-seconds', '0.2'], kept: () => ({}) },
  { name: 'migrate', args: ['migrate', 'model.onnx', ...migration], kept: stepsIn('state/journal.json') },
  {
    name: 'tune',
    args: ['tune', './tiny.suite.ts', '--trainer', 'tfjs-wasm', '--max-blocks', '2'],
    kept: stepsIn('runs/tiny.tuning/journal.json'),
  },
];

const rows = await Promise.all(subjects.map(endure));
console.log(table([['command', 'kills', 'starts', 'restarted', 'kept at most', 'longest end', 'last exit'], ...rows]));

/** Kills one command again and again; it begins anew in another folder whenever it came to its end. */
async function endure(subject: Subject, at: number): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), `attnswap-kills-${subject.name}-`));
  const temporary = join(folder, 'tmp');
  mkdirSync(temporary);
  let cwd = freshFolder(folder, 0);
  let kept: Record<string, unknown> = {};
  const tally = { killed: 0, starts: 0, anew: 0, most: 0, longestMs: 0 };
  while (tally.killed < kills) {
    const signal = signals[(tally.killed + at) % signals.length]!;
    const run = start(subject, cwd, temporary);
    tally.starts += 1;
    // Every third kill may meet the start; the others come while it measures.
    const ended = await Promise.race([run.then(() => true), moment(tally.killed % 3 === 0 ? undefined : run)]);
    const killedAt = performance.now();
    run.kill(signal);
    const { exitCode, signal: by, stderr } = await run;
    const now = subject.kept(cwd);
    for (const [name, value] of Object.entries(kept)) assert.deepEqual(now[name], value, `${subject.name}: ${name} was lost`);
    if (ended) {
      assert.notEqual(exitCode, 5, stderr);
      assert.deepEqual(readdirSync(temporary), [], `${subject.name}: left after it ended`);
      assert.deepEqual(draftsIn(cwd), [], `${subject.name}: left beside its results`);
      tally.anew += 1;
      cwd = freshFolder(folder, tally.anew);
      kept = {};
      continue;
    }
    tally.killed += 1;
    tally.longestMs = Math.max(tally.longestMs, performance.now() - killedAt);
    assert.ok(
      by === signal || exitCode === 128 + constants.signals[signal],
      `${subject.name}: ${signal} gave ${exitCode ?? by}: ${stderr}`,
    );
    await noProcessLeft(folder, subject.name);
    kept = now;
    tally.most = Math.max(tally.most, Object.keys(kept).length);
  }
  const { exitCode, stderr } = await start(subject, cwd, temporary);
  assert.ok([0, 1, 2, 3].includes(exitCode ?? 5), `${subject.name} did not go on: ${stderr}`);
  for (const [name, value] of Object.entries(kept)) assert.deepEqual(subject.kept(cwd)[name], value, `${subject.name}: ${name} was lost`);
  assert.deepEqual(readdirSync(temporary), [], `${subject.name}: left after it ended`);
  assert.deepEqual(draftsIn(cwd), [], `${subject.name}: left beside its results`);
  await noProcessLeft(folder, subject.name);
  rmSync(folder, { recursive: true });
  const { killed, starts, anew, most, longestMs } = tally;
  return [
    subject.name,
    String(killed),
    String(starts + 1),
    String(anew),
    `${most} results`,
    `${(longestMs / 1000).toFixed(1)} s`,
    String(exitCode),
  ];
}

/** A drawn moment, counted from the start or from when work was first told. */
async function moment(run: ReturnType<typeof start> | undefined): Promise<false> {
  await new Promise<void>((resolve) => {
    if (run === undefined) resolve();
    else run.stderr.on('data', (chunk: Buffer) => /^(?!noise|attnswap)/m.test(chunk.toString().trim()) && resolve());
  });
  return setTimeout(1000 * Math.random() * longestSeconds, false);
}

function freshFolder(folder: string, number: number): string {
  const cwd = join(folder, `cwd-${number}`);
  mkdirSync(cwd);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(cwd, name), content);
  return cwd;
}

/** Files that were being written when a kill came. */
function draftsIn(cwd: string): string[] {
  return readdirSync(cwd, { recursive: true, encoding: 'utf8' }).filter((path) => path.includes('attnswap-of-'));
}

function start({ args, again = [], kept }: Subject, cwd: string, temporary: string) {
  const all = Object.keys(kept(cwd)).length > 0 ? [...args, ...again] : args;
  return execa(process.execPath, [main, ...all], { cwd, reject: false, env: { TMPDIR: temporary, [marker]: temporary } });
}

async function noProcessLeft(folder: string, name: string): Promise<void> {
  let left: string[] = [];
  for (let waited = 0; waited < noticeSeconds * 10; waited += 1) {
    left = processesOf(folder);
    if (left.length === 0) return;
    await setTimeout(100);
  }
  assert.fail(`${name}: processes are left: ${left.join('; ')}`);
}

/** What carries our mark in its environment and is no zombie. */
function processesOf(folder: string): string[] {
  return readdirSync('/proc').flatMap((pid) => {
    try {
      if (!/^\d+$/.test(pid) || !readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`${marker}=${folder}`)) return [];
      return [`${pid} ${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').slice(0, 200)}`];
    } catch {
      return [];
    }
  });
}
