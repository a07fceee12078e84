import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

// Does a kill lose anything of a training on two ranks? Migrates a tiny PyTorch model with `--recover transfer --ranks 2`, kills attnswap or one of the
// ranks at a drawn moment, and starts the same command again; near its end, the training begins anew from a copy of the folder as it was when the first one began.
// No process may be left, no checkpoint lost, and at the end the losses must be those of an undisturbed training, to the bit. Linux only.
// `npm run bench:rank-kills [-- kills, 20]`, with ATTNSWAP_PYTHON or .cache/torch
const kills = Number(process.argv[2] ?? 20);
const main = fileURLToPath(new URL('../src/cli/attnswap.js', import.meta.url));
const model = `${fileURLToPath(new URL('../tests/fixtures/own_model.py', import.meta.url))}:build`;
const marker = 'ATTNSWAP_KILLS';
const folder = mkdtempSync(join(tmpdir(), 'attnswap-rank-kills-'));
const [dir, begun] = [join(folder, 'migration'), join(folder, 'begun')];
/** A checkpoint is written every 50 steps. */
const training = 'transfer:steps=250,labels=250,lr=0.001,patience=0';
const all = 500 / 50;
/** Longest time that processes may take to notice what happened: one that is importing PyTorch does so once that is done. */
const noticeSeconds = 60;
/** Longest waits before a kill: one of ranks that are being started, which then open the model and train, and one after a checkpoint. */
const [startingMs, trainingMs] = [4000, 1000];

const data = join(folder, 'mine.data.mjs');
writeFileSync(
  data,
  `export async function items({ lengths, itemsPerLength, seed }) {
  const ids = (length, at) => BigInt64Array.from({ length }, (_, token) => BigInt((7 * token + 13 * (seed + at)) % 50));
  const input = (length, values) => ({ type: 'int64', dims: [1, length], data: values });
  return lengths.flatMap((length) => Array.from({ length: itemsPerLength }, (_, at) => ({
    id: length + '-' + at, length, feeds: { tokens: input(length, ids(length, at)), attention_mask: input(length, new BigInt64Array(length).fill(1n)) },
  })));
}
`,
);

/** The command, and whether it has ended. */
function start() {
  const options = ['--lengths', '16', '--items', '4', '--candidate', 'window:w=2', '--evaluations', '2', '--max-blocks', '2'];
  const args = [main, 'migrate', model, '--data', data, ...options, '--recover', training, '--ranks', '2', '--dir', dir];
  const run = execa(process.execPath, args, { cwd: folder, reject: false, env: { TMPDIR: folder, [marker]: folder } });
  const state = { run, ended: false };
  void run.then(() => (state.ended = true));
  return state;
}
type Started = ReturnType<typeof start>;

/** Waits for something to hold; false where the command ends before. */
async function until(state: Started, holds: () => boolean): Promise<boolean> {
  while (!holds()) {
    if (state.ended) return false;
    await setTimeout(10);
  }
  return true;
}

/** The steps of the training that the folder holds. */
function checkpoints(): Record<string, unknown> {
  const path = join(dir, 'journal.json');
  const { steps } = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as { steps: Record<string, unknown> }) : { steps: {} };
  return Object.fromEntries(Object.entries(steps).filter(([name]) => name.startsWith('recover/')));
}
const reached = () => Object.keys(checkpoints()).length;

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  readonly command: string;
}

/** What carries our mark in its environment. */
function processes(): Process[] {
  return readdirSync('/proc').flatMap((pid) => {
    try {
      if (!/^\d+$/.test(pid) || !readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`${marker}=${folder}`)) return [];
      const [, parent, , session] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ').map(Number);
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return [{ pid: Number(pid), parent: parent!, session: session!, command }];
    } catch {
      return []; // It has ended.
    }
  });
}

/** The ranks of a command: workers that it started, but for the one that forks others, which has a session of its own. */
function ranksOf({ run: { pid } }: Started): number[] {
  const found = processes();
  const session = found.find((each) => each.pid === pid)?.session;
  const workers = found.filter((each) => each.parent === pid && each.session === session && each.command.includes('torch/worker'));
  return workers.map((worker) => worker.pid);
}

async function noneLeft(): Promise<number> {
  const from = performance.now();
  while (processes().length > 0 && performance.now() - from < 1000 * noticeSeconds) await setTimeout(20);
  assert.deepEqual(
    processes().map(({ command }) => command),
    [],
    'processes are left',
  );
  return performance.now() - from;
}

const isTraining = () => {
  const recovered = join(dir, 'recovered');
  return existsSync(recovered) && readdirSync(recovered).some((name) => name !== 'items');
};

/** Lets the command train to the last step, and interrupts it there. What it trained. */
async function trainToEnd(state: Started): Promise<Record<string, unknown>> {
  if (await until(state, () => reached() === all)) state.run.kill('SIGINT');
  const { exitCode, stderr } = await state.run;
  assert.equal(exitCode, 130, stderr);
  await noneLeft();
  return checkpoints();
}

const undisturbed = start();
if (await until(undisturbed, isTraining)) cpSync(dir, begun, { recursive: true });
const wanted = await trainToEnd(undisturbed);

const anew = () => {
  rmSync(dir, { recursive: true });
  cpSync(begun, dir, { recursive: true });
};
anew();
const tally = { attnswap: 0, rank: 0, starting: 0 };
let longestMs = 0;
while (tally.attnswap + tally.rank < kills) {
  if (reached() > all - 3) anew();
  const known = checkpoints();
  const state = start();
  // Every third kill meets ranks as they start, or soon after; the others come while they train.
  const starting = (tally.attnswap + tally.rank) % 3 === 0;
  const ready = await until(state, () => ranksOf(state).length === 2 && (starting || reached() > Object.keys(known).length));
  if (!ready) assert.fail((await state.run).stderr);
  await setTimeout(Math.random() * (starting ? startingMs : trainingMs));
  const ranks = ranksOf(state);
  const isRank = Math.random() < 2 / 3;
  const before = checkpoints();
  if (Object.keys(before).length === all) {
    // Too late: all is trained.
    await trainToEnd(state);
    continue;
  }
  assert.equal(ranks.length, 2, 'a rank is gone');
  process.kill(isRank ? ranks[Math.floor(Math.random() * 2)]! : state.run.pid!, 'SIGKILL');
  const { exitCode, signal, stderr } = await state.run;
  longestMs = Math.max(longestMs, await noneLeft());
  if (isRank) {
    assert.equal(exitCode, 5, stderr);
    assert.match(stderr, /training on 2 ranks: rank [01] \(process \d+\) was ended by SIGKILL; the others were stopped/);
  } else assert.equal(signal, 'SIGKILL');
  const after = checkpoints();
  tally[isRank ? 'rank' : 'attnswap'] += 1;
  tally.starting += Number(starting);
  console.error(
    `${tally.rank + tally.attnswap} of ${kills}: ${isRank ? 'a rank' : 'attnswap'}, after ${Object.keys(after).length} checkpoints`,
  );
  for (const [name, step] of Object.entries(before)) assert.deepEqual(after[name], step, `${name} was lost`);
  for (const [name, step] of Object.entries(after))
    assert.deepEqual(step, wanted[name], `${name} is not what an undisturbed training gives`);
}
assert.deepEqual(await trainToEnd(start()), wanted);
console.log(
  `${tally.rank} kills of a rank and ${tally.attnswap} of attnswap, ${tally.starting} of them as the ranks started: no checkpoint lost, no process left (longest wait ${Math.round(longestMs)} ms),`,
);
console.log(`and the losses of all ${all} checkpoints are those of an undisturbed training`);
rmSync(folder, { recursive: true });
