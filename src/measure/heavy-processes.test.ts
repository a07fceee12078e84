import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { ProcessSnapshot } from './heavy-processes.ts';
import { findHeavyProcesses, heavyBetween, othersBetween, parseStat, snapshotProcesses } from './heavy-processes.ts';

const self = 100;
const four = { processors: 4, stolenTime: 0 };
const named = (pid: number, parent: number, name: string, time: number, reapedTime = 0) => ({ pid, parent, name, time, reapedTime });

test('heavy are those that used a fifth of a core between two snapshots, the busiest first', () => {
  const before = {
    ...four,
    timePerCore: 1000,
    busyTime: 0,
    processes: [named(1, 0, 'old', 90_000), named(2, 1, 'busy', 50), named(3, 1, 'light', 0)],
  };
  const after = {
    ...four,
    timePerCore: 1025,
    busyTime: 0,
    processes: [named(1, 0, 'old', 90_000), named(2, 1, 'busy', 62), named(3, 1, 'light', 4), named(4, 1, 'new', 25)],
  };
  assert.deepEqual(heavyBetween(before, after, self), [
    { pid: 4, name: 'new', cores: 1 },
    { pid: 2, name: 'busy', cores: 0.48 },
  ]);
});

test('this process and its descendants are not counted, in whatever order they are listed', () => {
  const before = { ...four, timePerCore: 0, busyTime: 0, processes: [] };
  const after = {
    ...four,
    timePerCore: 10,
    busyTime: 0,
    processes: [named(103, 102, 'ours', 10), named(102, self, 'ours', 10), named(self, 1, 'ours', 10), named(9, 1, 'theirs', 10)],
  };
  assert.deepEqual(heavyBetween(before, after, self), [{ pid: 9, name: 'theirs', cores: 1 }]);
});

test('others are what kept processors busy beyond this process and its descendants, also what ended meanwhile or was stolen', () => {
  const before = { ...four, timePerCore: 0, busyTime: 100, processes: [named(self, 1, 'ours', 40), named(9, 1, 'theirs', 5)] };
  const after = {
    ...four,
    timePerCore: 10,
    busyTime: 118,
    processes: [named(self, 1, 'ours', 44), named(102, self, 'ours', 9), named(9, 1, 'theirs', 6)],
  };
  assert.equal(othersBetween(before, after, self), 0.5);
  assert.equal(othersBetween(before, { ...after, busyTime: 110 }, self), 0);
});

test('a descendant that ended meanwhile is counted once: what it did before the first snapshot is no work of others, nor what it did after', () => {
  const before = {
    ...four,
    timePerCore: 0,
    busyTime: 100,
    processes: [named(self, 1, 'ours', 40, 7), named(102, self, 'ours', 30), named(103, 102, 'ours', 5)],
  };
  // 102 worked for 4 more and 103 for 2; 102 waited for it, and was waited for. Others worked for 3.
  const after = { ...four, timePerCore: 10, busyTime: 109, processes: [named(self, 1, 'ours', 40, 7 + 34 + 7)] };
  assert.equal(othersBetween(before, after, self), 0.3);
  // One whose parent ended is still ours.
  const orphaned = { ...four, timePerCore: 10, busyTime: 109, processes: [named(self, 1, 'ours', 40, 7 + 34), named(103, 1, 'ours', 7)] };
  assert.equal(othersBetween(before, orphaned, self), 0.3);
});

test('no work of others is seen where no time passed', () => {
  const none = { ...four, timePerCore: 0, busyTime: 0, processes: [] };
  assert.equal(othersBetween(none, { ...none, busyTime: 3 }, self), 0);
});

/** A made-up /proc of four processors, of which 0 and 2 are idle, and 1 and 3 busy. */
function madeUp(
  status: string,
  stat = ['cpu0 0 0 0 90 10 0 0 0', 'cpu1 50 0 0 0 0 0 0 50 9 9', 'cpu2 0 0 0 100 0 0 0 0', 'cpu3 0 40 30 0 0 10 20 0'],
) {
  const folder = mkdtempSync(join(tmpdir(), 'proc-'));
  for (const name of ['self', '7', 'net']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'self/status'), status);
  writeFileSync(join(folder, 'stat'), ['cpu  1 2 3 4 5 6 7 8', ...stat, 'intr 1 2 3'].join('\n'));
  writeFileSync(join(folder, '7/stat'), '7 (sh) S 1 7 7 0 -1 0 0 0 0 0 3 4 5 6 20 0 1 0 0 0 0');
  return folder;
}

test('only the processors that this process may run on are counted', { skip: process.platform !== 'linux' }, () => {
  const seen = (list: string) =>
    snapshotProcesses(madeUp(`Name:\tnode\nCpus_allowed:\tf\nCpus_allowed_list:\t${list}\nMems_allowed_list:\t0\n`));
  const processes = [named(7, 1, 'sh', 7, 11)];
  assert.deepEqual(seen('0-3'), { processors: 4, timePerCore: 100, busyTime: 200, stolenTime: 50, processes });
  assert.deepEqual(seen('0,2'), { processors: 2, timePerCore: 100, busyTime: 0, stolenTime: 0, processes });
  assert.deepEqual(seen('1-2'), { processors: 2, timePerCore: 100, busyTime: 100, stolenTime: 50, processes });
  assert.deepEqual(seen('3-127'), { processors: 1, timePerCore: 100, busyTime: 100, stolenTime: 0, processes });
  assert.equal(seen('64-127'), undefined);
  assert.deepEqual(snapshotProcesses(madeUp('Name:\tnode\n')), {
    processors: 4,
    timePerCore: 100,
    busyTime: 200,
    stolenTime: 50,
    processes,
  });
});

test('nothing is seen where /proc holds nothing', { skip: process.platform !== 'linux' }, () => {
  assert.equal(snapshotProcesses('/nowhere'), undefined);
  assert.equal(snapshotProcesses(madeUp('Cpus_allowed_list:\t0-3\n', [])), undefined);
});

test('a busy process that is none of ours shows between two looks at this machine', { skip: process.platform !== 'linux' }, async () => {
  const spinning = spawn(process.execPath, ['-e', 'for (;;);']);
  try {
    const before = snapshotProcesses()!;
    const timeIn = ({ processes }: ProcessSnapshot) => processes.find(({ pid }) => pid === spinning.pid)?.time ?? 0;
    let after = before;
    for (; timeIn(after) - timeIn(before) < 10; after = snapshotProcesses()!) await setTimeout(20);
    // Seen from itself alone it is one of us; seen from a process that is not there it is another.
    const [own, foreign] = [spinning.pid!, -1].map((self) => othersBetween(before, after, self)) as [number, number];
    const expected = (timeIn(after) - timeIn(before)) / (after.timePerCore - before.timePerCore);
    assert.ok(own === 0 || Math.abs(foreign - own - expected) < 1e-9, `${foreign}, ${own} of its own`);
    assert.ok(foreign > own);
  } finally {
    spinning.kill('SIGKILL');
  }
});

test('a name with spaces and parentheses does not shift the fields', () => {
  const line = '4711 (tmux: a) (b) S 17 4711 4711 0 -1 4194560 900 0 0 0 30 12 5 5 20 0 1 0 400 1000 200';
  assert.deepEqual(parseStat(line), { pid: 4711, parent: 17, name: 'tmux: a) (b', time: 42, reapedTime: 10 });
});

test('a process of our own that spins is not reported', async () => {
  const spinning = spawn(process.execPath, ['-e', 'for (;;);']);
  try {
    const heavy = await findHeavyProcesses();
    assert.ok(heavy.every(({ pid }) => pid !== spinning.pid && pid !== process.pid));
  } finally {
    spinning.kill('SIGKILL');
  }
});

test('a name of others is kept on one line, with what it hides written out', () => {
  assert.equal(parseStat('7 (\n::error::\u202e\u009b) R 1 7 7 0 -1 0 0 0 0 0 3 4 0 0').name, '::error::\\u202e\\u009b');
});
