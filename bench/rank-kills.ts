import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

// Does a kill lose anything of a training on two ranks? Migrates a tiny PyTorch model with `--recover transfer --ranks 2`, kills attnswap or one of the
// ranks at a drawn moment, and starts the same command again. No process may be left, no checkpoint lost, and at the end the losses must be those of
// an undisturbed training, to the bit. Linux only. `npm run bench:rank-kills [-- kills, 20]`, with ATTNSWAP_PYTHON or .cache/torch
const kills = Number(process.argv[2] ?? 20);
const main = fileURLToPath(new URL('../src/cli/attnswap.js', import.meta.url));
const model = `${fileURLToPath(new URL('../tests/fixtures/own_model.py', import.meta.url))}:build`;
const marker = 'ATTNSWAP_KILLS';
const folder = mkdtempSync(join(tmpdir(), 'attnswap-rank-kills-'));
const training = 'transfer:steps=1000,labels=1000,lr=0.001,patience=0';
/** Longest time that processes may take to notice what happened: one that is importing PyTorch does so once that is done. */
const noticeSeconds = 60;

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

function start(dir: string, temporary: string) {
  const options = ['--lengths', '16', '--items', '4', '--candidate', 'window:w=2', '--evaluations', '2', '--max-blocks', '2'];
  const args = [main, 'migrate', model, '--data', data, ...options, '--recover', training, '--ranks', '2', '--dir', dir];
  return execa(process.execPath, args, { cwd: folder, reject: false, env: { TMPDIR: temporary, [marker]: folder } });
}

interface Journal {
  readonly steps: Readonly<Record<string, { readonly losses?: readonly number[] }>>;
}

function checkpoints(dir: string): Record<string, unknown> {
  const path = join(dir, 'journal.json');
  const { steps } = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Journal) : { steps: {} };
  return Object.fromEntries(Object.entries(steps).filter(([name]) => name.startsWith('recover/')));
}

/** What carries our mark in its environment, by process id. */
function processes(): Map<number, string> {
  const found = new Map<number, string>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (!readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`${marker}=${folder}`)) continue;
      found.set(Number(pid), readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '));
    } catch {
      // It has ended.
    }
  }
  return found;
}

const ranks = () => [...processes()].filter(([, command]) => command.includes('torch/worker')).map(([pid]) => pid);

async function noneLeft(): Promise<number> {
  const from = performance.now();
  while (processes().size > 0 && performance.now() - from < 1000 * noticeSeconds) await setTimeout(20);
  assert.deepEqual([...processes().values()], [], 'processes are left');
  return performance.now() - from;
}

const undisturbed = await start(join(folder, 'undisturbed'), folder);
assert.ok([0, 1, 2].includes(undisturbed.exitCode ?? 5), undisturbed.stderr);
const wanted = checkpoints(join(folder, 'undisturbed'));

const dir = join(folder, 'killed');
const tally = { attnswap: 0, rank: 0 };
let longestMs = 0;
while (tally.attnswap + tally.rank < kills) {
  const before = checkpoints(dir);
  if (Object.keys(before).length === Object.keys(wanted).length) rmSync(dir, { recursive: true });
  const known = Object.keys(checkpoints(dir)).length;
  const run = start(dir, folder);
  const ended = run.then(() => true);
  // Every third kill may meet the ranks as they start; the others come while they train.
  const early = (tally.attnswap + tally.rank) % 3 === 0;
  const ready = () =>
    (early ? known > 0 || existsSync(join(dir, 'recovered')) : Object.keys(checkpoints(dir)).length > known) && ranks().length === 2;
  while (!ready() && !(await Promise.race([ended, setTimeout(20, false)])));
  await Promise.race([ended, setTimeout(Math.random() * (early ? 3000 : 500))]);
  const found = ranks();
  const target = Math.random() < 1 / 3 || found.length < 2 ? run.pid! : found[Math.floor(Math.random() * 2)]!;
  const reached = checkpoints(dir);
  if (!processes().has(target)) continue;
  process.kill(target, 'SIGKILL');
  const { exitCode, stderr } = await run;
  longestMs = Math.max(longestMs, await noneLeft());
  // Workers that time candidates before and after the training are no ranks: such a kill does not count.
  if (target !== run.pid && !stderr.includes('training on 2 ranks: rank')) continue;
  if (target !== run.pid) {
    assert.equal(exitCode, 5, stderr);
    assert.match(stderr, /training on 2 ranks: rank [01] \(process \d+\) was ended by SIGKILL/);
  }
  tally[target === run.pid ? 'attnswap' : 'rank'] += 1;
  for (const [name, step] of Object.entries(reached)) assert.deepEqual(checkpoints(dir)[name], step, `${name} was lost`);
  for (const [name, step] of Object.entries(checkpoints(dir)))
    assert.deepEqual(step, wanted[name], `${name} is not what an undisturbed training gives`);
}
const last = await start(dir, folder);
assert.ok([0, 1, 2].includes(last.exitCode ?? 5), last.stderr);
assert.deepEqual(checkpoints(dir), wanted);
await noneLeft();
console.log(
  `${tally.rank} kills of a rank and ${tally.attnswap} of attnswap: no checkpoint lost, no process left (longest wait ${Math.round(longestMs)} ms),`,
);
console.log(`and the losses of all ${Object.keys(wanted).length} checkpoints are those of an undisturbed training`);
rmSync(folder, { recursive: true });
