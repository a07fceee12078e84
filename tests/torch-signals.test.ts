import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { execa } from 'execa';
import { emptyFolder, isMeasuring, main, processesIn } from './run-cli.ts';
import { skip as withoutTransformers } from './transformers-installed.ts';

const skip = process.platform === 'linux' ? withoutTransformers : 'workers are forked on Linux';
const model = `${fileURLToPath(new URL('./fixtures/own_model.py', import.meta.url))}:build`;

/** Of a tiny model; in a folder of its own. */
function folderOfData(): string {
  const cwd = emptyFolder();
  writeFileSync(
    join(cwd, 'mine.data.mjs'),
    `const input = (length, valueAt) => ({ type: 'int64', dims: [1, length], data: BigInt64Array.from({ length }, (_, at) => BigInt(valueAt(at))) });
export const items = ({ lengths, itemsPerLength, seed }) => lengths.flatMap((length) => Array.from({ length: itemsPerLength }, (_, index) => ({
  id: length + '-' + index, length, feeds: { tokens: input(length, (at) => (7 * at + 13 * (seed + index)) % 50), attention_mask: input(length, () => 1) },
})));
`,
  );
  return cwd;
}

const settings = ['--data', 'mine.data.mjs', '--lengths', '16', '--items', '2', '--max-blocks', '2', '--threads', '1', '--dir', 'state'];

/** Starts the command as a shell does, in a group of its own. */
function start(t: TestContext, cwd: string, more: readonly string[]) {
  const child = execa(process.execPath, [main, 'migrate', model, ...settings, ...more], { cwd, reject: false, detached: true });
  t.after(() => child.kill('SIGKILL'));
  let ended = false;
  void child.then(() => (ended = true));
  const until = async (holds: () => boolean) => {
    while (!holds() && !ended) await setTimeout(10);
    if (ended) assert.fail(`it ended before: ${(await child).stderr}`);
  };
  return { child, until };
}

/** What Ctrl-C in a terminal does: it reaches the whole group. */
const interrupt = (pid: number | undefined) => process.kill(-pid!, 'SIGINT');

async function noneLeft(cwd: string): Promise<void> {
  while (processesIn(cwd).length > 0) await setTimeout(20);
}

function stepsIn(cwd: string): Record<string, unknown> {
  const path = join(cwd, 'state/journal.json');
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as { steps: Record<string, unknown> }).steps : {};
}

function assertKept(cwd: string, before: Record<string, unknown>): void {
  const now = stepsIn(cwd);
  for (const [name, step] of Object.entries(before)) assert.deepEqual(now[name], step, name);
}

/** Parent and group of a process, by its number. */
function kinOf(pid: string): readonly [parent: number, group: number] | undefined {
  try {
    const [, parent, group] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ').map(Number);
    return [parent!, group!];
  } catch {
    return undefined; // It has ended.
  }
}

/** Workers of a command in its own group; what forks others, and what is forked, has sessions of its own. */
function ranksOf(cwd: string, command: number): string[] {
  const isWorker = (pid: string) => existsSync(`/proc/${pid}`) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('torch/worker');
  return processesIn(cwd).filter((pid) => kinOf(pid)?.join() === `${command},${command}` && isWorker(pid));
}

const interrupted =
  /interrupted: finishing up; interrupt again to stop immediately\n[^]*interrupted; what was measured is in state \[INTERRUPTED\]\n {2}hint: run the same command to continue/;

describe('signals to a migration of a PyTorch model', { skip }, () => {
  test('while forked processes are timed, Ctrl-C and a kill leave none of them; the same command goes on', async (t) => {
    const cwd = folderOfData();
    const options = ['--candidate', 'dense.fused', '--until', 'swap'];
    const first = start(t, cwd, options);
    await first.until(() => isMeasuring(cwd));
    const command = first.child.pid!;
    const foreign = processesIn(cwd).filter((pid) => !(kinOf(pid) ?? [command]).includes(command));
    assert.ok(foreign.length >= 2, 'both arms are children of what forks them');
    interrupt(command);
    const { exitCode, stderr } = await first.child;
    assert.equal(exitCode, 130, stderr);
    assert.match(stderr, interrupted);
    await noneLeft(cwd);
    const reached = stepsIn(cwd);

    const second = start(t, cwd, options);
    await second.until(() => isMeasuring(cwd));
    second.child.kill('SIGKILL');
    await second.child;
    await noneLeft(cwd);
    assertKept(cwd, reached);

    const last = await start(t, cwd, options).child;
    assert.ok([0, 1, 2].includes(last.exitCode!), last.stderr);
    assertKept(cwd, reached);
    await noneLeft(cwd);
  });

  test('while ranks start or train, Ctrl-C and a kill leave none of them; the same command goes on', async (t) => {
    const cwd = folderOfData();
    const recover = 'transfer:steps=150,labels=150,patience=0';
    const options = ['--candidate', 'window:w=2', '--evaluations', '2', '--recover', recover, '--ranks', '2'];
    const checkpoints = () => Object.keys(stepsIn(cwd)).filter((name) => name.startsWith('recover/')).length;

    const first = start(t, cwd, options);
    await first.until(() => ranksOf(cwd, first.child.pid!).length === 2);
    interrupt(first.child.pid);
    const starting = await first.child;
    assert.equal(starting.exitCode, 130, starting.stderr);
    assert.match(starting.stderr, /attnswap: interrupted/);
    await noneLeft(cwd);

    // The last start shows that it goes on after a kill.
    for (const signal of ['SIGINT', 'SIGKILL', 'SIGINT'] as const) {
      const [known, reached] = [checkpoints(), stepsIn(cwd)];
      const { child, until } = start(t, cwd, options);
      await until(() => checkpoints() > known);
      assert.equal(ranksOf(cwd, child.pid!).length, 2);
      if (signal === 'SIGINT') interrupt(child.pid);
      else child.kill(signal);
      const { exitCode, stderr } = await child;
      if (signal === 'SIGINT') {
        assert.equal(exitCode, 130, stderr);
        assert.match(stderr, interrupted);
      }
      await noneLeft(cwd);
      assertKept(cwd, reached);
    }
  });
});
