import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { attnswap } from '../run-cli.ts';
import { adapter, fast, folder, gate, gateCommand, scriptedBaseline, verdictOf } from '../scripted-gate.ts';
import type { BaselineFile } from '../scripted-gate.ts';

// Gates that measured times decide, by CPU time or by a factor that no other work explains: what a gate does whatever is measured is in ../gate.test.ts.
const gates = "{ metric: 'cpu-time', margin: 0.5 }";

test('equal arms pass with exit 0, and every rendering is written', async () => {
  const cwd = folder({ gates });
  const files = ['--junit', 'junit.xml', '--sarif', 'gate.sarif', '--markdown', 'comment.md'];
  const { exitCode, said } = await gateCommand(cwd, files);
  assert.equal(exitCode, 0, said);
  assert.equal(verdictOf(cwd).outcome, 'pass');
  assert.match(readFileSync(join(cwd, 'junit.xml'), 'utf8'), /<testcase/);
  assert.equal((JSON.parse(readFileSync(join(cwd, 'gate.sarif'), 'utf8')) as { version: string }).version, '2.1.0');
  assert.match(readFileSync(join(cwd, 'comment.md'), 'utf8'), /pass/i);
});

test('a slower new arm is a regression, a faster one an improvement, and swapping them negates the effect', async () => {
  const slow = folder({ gates, script: { ms: 4 } });
  const quick = folder({ gates });
  const slower = await gateCommand(slow, ['--base-dir', quick]);
  assert.equal(slower.exitCode, 1, slower.said);
  const faster = await gate(quick, { baseDir: slow });
  assert.equal(faster.exitCode, 0, faster.said);
  const [up, down] = [verdictOf(slow).comparisons[0]!, faster.verdict().comparisons[0]!];
  assert.deepEqual([up.outcome, down.outcome], ['regression', 'improvement']);
  // Two runs, each with an error of its own; what is not negated is a factor of 16.
  const both = (1 + up.effect!.estimate) * (1 + down.effect!.estimate);
  assert.ok(Math.abs(Math.log(both)) < Math.log(2), `there and back is a factor of ${both}`);
});

test('CPU time counts what computes: a new arm that only waits longer passes, one that computes more is a regression', async () => {
  const base = folder({ gates });
  const waits = await gate(folder({ gates, script: { idleMs: 8 } }), { baseDir: base });
  assert.equal(waits.exitCode, 0, waits.said);
  assert.equal(waits.verdict().comparisons[0]!.outcome, 'pass');
  const computes = await gate(folder({ gates, script: { ms: 4 } }), { baseDir: base });
  assert.equal(computes.exitCode, 1, computes.said);
  assert.match(computes.said, /CPU time/);
  assert.doesNotMatch(computes.said, /calibrate/);
});

test('latency is judged against stored runs', async () => {
  const cwd = folder();
  await scriptedBaseline(cwd);
  const path = join(cwd, '.attnswap/baselines/main.json');
  const stored = readFileSync(path, 'utf8');
  const against = async (factor: number) => {
    const baseline = JSON.parse(stored) as BaselineFile;
    for (const { run } of baseline.runs) run.cells[0]!.latency!.medianNs *= factor;
    writeFileSync(path, JSON.stringify(baseline));
    return gate(cwd, { baseline: 'main' });
  };
  const faster = await against(20);
  assert.equal(faster.exitCode, 0, faster.said);
  assert.equal(faster.verdict().comparisons[0]!.outcome, 'improvement');
  const slower = await against(1 / 20);
  assert.equal(slower.exitCode, 1, slower.said);
  assert.match(slower.said, /stored runs/);
});

test('ab exits as a gate does, and refuses two arms that are one', async () => {
  const cwd = folder({ script: { ms: 2 } });
  const cell = [
    '--length',
    '16',
    '--heads',
    '1',
    '--head-dim',
    '8',
    '--inputs',
    'gaussian',
    '--adapter',
    adapter,
    '--base-adapter',
    adapter,
  ];
  const settings = ['--backend', 'scripted', '--metric', 'cpu-time', '--margin', '50', ...fast];
  const slower = await attnswap(['ab', 'dense', ...cell, ...settings, '--base-dir', folder()], { cwd });
  assert.equal(slower.exitCode, 1, slower.stderr);
  assert.match(slower.stdout, /dense\.script/);
  const equal = await attnswap(['ab', 'dense', 'dense', ...cell, ...settings], { cwd });
  assert.equal(equal.exitCode, 0, equal.stderr + equal.stdout);
  const one = await attnswap(['ab', 'dense', ...cell, ...settings], { cwd });
  assert.equal(one.exitCode, 5);
  assert.match(one.stderr, /both arms are the same/);
});
