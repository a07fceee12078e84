import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { attnswap, emptyFolder, main, suiteText, untilSaid } from './run-cli.ts';

// What commands share on a machine: the right to measure, and the temporary folder.

/** With a suite of one cell, and one that takes long. */
function folder() {
  const cwd = emptyFolder();
  const temporary = join(cwd, 'tmp');
  mkdirSync(temporary);
  writeFileSync(join(cwd, 'one.suite.ts'), suiteText('one', ['dense.fused'], "gates: [{ metric: 'scored-pairs', margin: 0.5 }],"));
  writeFileSync(
    join(cwd, 'long.suite.ts'),
    suiteText(
      'long',
      Array.from({ length: 40 }, (_, at) => `window:w=${at + 1}`),
    ),
  );
  return { cwd, temporary, env: { TMPDIR: temporary } };
}

test('of two commands at once the second is refused, or with --wait measures when the first has ended', async () => {
  const { cwd, env } = folder();
  const run = (...args: string[]) => execa(process.execPath, [main, ...args], { cwd, env, reject: false });
  const first = run('bench', './long.suite.ts');
  await untilSaid(first, '[1/');
  const waiting = run('gate', './one.suite.ts', '--wait');
  await untilSaid(waiting, `waiting: another attnswap (process ${first.pid})`);
  const refused = await run('gate', './one.suite.ts');
  assert.equal(refused.exitCode, 5);
  assert.match(refused.stderr, new RegExp(`another attnswap \\(process ${first.pid}\\).*\\[BUSY\\]\n {2}hint: --wait waits`));
  first.kill('SIGTERM');
  assert.equal((await first).exitCode, 143);
  assert.equal((await waiting).exitCode, 0);
});

test('a temporary folder that is missing ends a command before anything is measured', async () => {
  const { cwd, temporary } = folder();
  const { exitCode, stderr } = await attnswap(['bench', './one.suite.ts'], { cwd, env: { TMPDIR: join(temporary, 'nowhere') } });
  assertSaid(exitCode, stderr, /the temporary folder \S+nowhere cannot be used: no such file/);
});

test('so does one that is full', async (t) => {
  const { cwd, temporary, env } = folder();
  if (!mounted(temporary, '80k')) return t.skip('needs root and tmpfs');
  try {
    writeFileSync(join(temporary, 'large'), new Uint8Array(40_000));
    const { exitCode, stderr } = await attnswap(['bench', './one.suite.ts'], { cwd, env });
    assertSaid(exitCode, stderr, /the temporary folder \S+ cannot be used: no space left on device/);
  } finally {
    execFileSync('umount', [temporary]);
  }
});

function assertSaid(exitCode: number | undefined, stderr: string, expected: RegExp): void {
  assert.equal(exitCode, 5);
  assert.match(stderr, expected);
  assert.match(stderr, /hint: .*TMPDIR=/);
  assert.doesNotMatch(stderr, /\[1\//);
}

function mounted(path: string, size: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
