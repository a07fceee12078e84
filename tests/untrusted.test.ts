import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { attnswap, emptyFolder } from './run-cli.ts';

const script = fileURLToPath(new URL('./fixtures/worker.ts', import.meta.url));
const worker = `${process.execPath.replaceAll(' ', '\\ ')} ${script} hostile`;
const cwd = emptyFolder();
const matrix = { variants: ['dense'], backends: ['worker-hostile'], lengths: [16], heads: 1, headDim: 8 };
const gates = [{ metric: 'scored-pairs', margin: 0.05 }];
const suite = { name: 'hostile', workers: [worker], matrix, gates, sampleSeconds: 0.05, wasteRows: 4 };
writeFileSync(join(cwd, 'hostile.suite.ts'), `export default ${JSON.stringify(suite)};\n`);

/** What no output may hold, whoever reads it. */
function assertSafe(output: string): void {
  assert.doesNotMatch(output, /^\s*::/m);
  assert.doesNotMatch(output, /##\[/);
  assert.doesNotMatch(output.replaceAll(/[\n\t]/g, ''), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
}

test('words of workers command nothing, in the output of any command', async () => {
  for (const args of [
    ['bench', './hostile.suite.ts', '--out', 'hostile.run.json'],
    ['bench', './hostile.suite.ts', '--json'],
    ['gate', './hostile.suite.ts'],
    ['report', 'hostile.run.json', '--format', 'md', '--json'],
    ['compare', 'hostile.run.json', 'runs/hostile.run.json'],
    ['conform', '--worker', worker, '--backend', 'worker-hostile', '--cases', 'quick'],
  ]) {
    const { stdout, stderr } = await attnswap(args, { cwd });
    assert.notEqual(stdout, '', args.join(' ') + stderr);
    assertSafe(stdout);
    assertSafe(stderr);
  }
});

test('a busy process with a workflow command for a name writes none; records hold such words on one line, written out', async () => {
  // At most 15 bytes, as Linux keeps them: a command on a line of its own, a bidirectional override, and a C1 control.
  const hostile = join(cwd, '\n::error::\u202e\u009b');
  symlinkSync('/bin/bash', hostile);
  const busy = spawn(hostile, ['-c', 'while :; do :; done'], { stdio: 'ignore' });
  try {
    const text = await attnswap(['doctor', '--worker', worker], { cwd });
    const { stdout, stderr } = await attnswap(['doctor', '--worker', worker, '--json'], { cwd });
    for (const output of [text.stdout, text.stderr, stdout, stderr]) assertSafe(output);
    const { host, backends } = JSON.parse(stdout) as {
      host: { volatile: { heavyProcesses: Array<{ pid: number; name: string }> } };
      backends: Array<{ backend: string; status: { version: string; details: Record<string, string> } }>;
    };
    const found = host.volatile.heavyProcesses.find(({ pid }) => pid === busy.pid);
    // A machine that is very busy with others leaves it less than what is told.
    if (found !== undefined) assert.equal(found.name, '::error::\\u202e\\u009b');
    const { status } = backends.find(({ backend }) => backend === 'worker-hostile')!;
    const shown = '1 ::error::\\u001b[2J\\u009b31m\\u202e##[error]';
    assert.equal(status.version, shown);
    assert.match(text.stdout, /\n {4}energy: 1 ::error::/);
    assert.match(text.stdout, /\nenergy {3}processor packages: /);
    assert.deepEqual(status.details, { [shown]: shown });
  } finally {
    busy.kill('SIGKILL');
  }
});
