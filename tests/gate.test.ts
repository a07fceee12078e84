import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { execa } from 'execa';
import type { GateOptions } from '../src/operations/gate.ts';
import { attnswap, isMeasuring, main, processesIn } from './run-cli.ts';
import { fast, folder, gate, gateCommand, verdictOf, wideGate } from './scripted-gate.ts';
import type { Given } from './scripted-gate.ts';

// Whatever goes wrong, a gate never exits with 0, says what it was, and loses nothing. No figure that is measured decides here: see timed/.

/** What goes wrong in the new arm, what the gate exits with, and what it says. */
const faultyArms: ReadonlyArray<[what: string, given: Given, exitCode: number, says: RegExp]> = [
  ['a worker that exits before it answers', { script: { fault: 'exit' } }, 5, /new: failed: the worker exited with code 7/],
  ['a worker that is killed while it samples', { script: { fault: 'die-later' } }, 5, /new: failed: the worker was ended by SIGKILL/],
  ['NaN in the output', { script: { fault: 'nan' } }, 5, /new: mismatch/],
  ['a wrong output', { script: { fault: 'wrong' } }, 5, /new: mismatch: relative error/],
  ['a kernel that is not supported', { script: { fault: 'unsupported' } }, 3, /new: unsupported: .*the script says so/],
  ['a call that throws', { script: { fault: 'throws' } }, 5, /new: failed: Error: the script says so/],
  ['a call that never ends', { script: { fault: 'hangs' }, extra: 'timeoutSeconds: 20,' }, 5, /new: timed-out: no answer within 20 s/],
];
for (const [what, given, code, says] of faultyArms) {
  test(`${what} is exit ${code}`, async () => {
    const cwd = folder(given);
    const { exitCode, said } = await gate(cwd, { baseDir: folder() });
    assert.equal(exitCode, code, said);
    assert.match(said, says);
  });
}

test('the command exits with 5, too, and its verdict says so', async () => {
  const cwd = folder({ gates: "{ metric: 'scored-pairs' }", script: { fault: 'exit' } });
  const { exitCode, said } = await gateCommand(cwd, ['--base-dir', folder()]);
  assert.equal(exitCode, 5, said);
  assert.match(said, /exited with code 7/);
  assert.equal(verdictOf(cwd).exitCode, 5);
});

test('faults of the memory, waste and statement launches are exit 5 too', async () => {
  for (const metric of ['peak-memory', 'error', 'scored-pairs']) {
    const cwd = folder({ gates: `{ metric: '${metric}' }`, script: { fault: 'exit' } });
    const { exitCode, said } = await gate(cwd, { baseDir: folder() });
    assert.equal(exitCode, 5, said);
    assert.match(said, /exited with code 7/);
  }
});

test('memory that grows faster with the length is a regression, in figures of a doubling', async () => {
  const growth = { gates: "{ metric: 'memory-growth', margin: 0.25 }", lengths: '[16, 64]' };
  const linear = folder({ ...growth, script: { memoryPower: 1 } });
  const square = folder({ ...growth, script: { memoryPower: 2 } });
  const worse = await gate(square, { baseDir: linear });
  assert.equal(worse.exitCode, 1, worse.said);
  const { comparisons } = worse.verdict();
  assert.deepEqual(
    comparisons.map(({ metric, outcome }) => [metric, outcome]),
    [['memory-growth', 'regression']],
  );
  assert.ok(Math.abs(comparisons[0]!.base! - 2) < 1e-9 && Math.abs(comparisons[0]!.new! - 4) < 1e-9, JSON.stringify(comparisons[0]));
  assert.equal((await gate(linear, { baseDir: square })).exitCode, 0);
  assert.equal((await gate(folder({ ...growth, script: { memoryPower: 1 }, lengths: '[16]' }))).exitCode, 3);
});

test('a limit holds for memory too, whatever the base', async () => {
  const gates = "{ metric: 'peak-memory', margin: 0.1, limit: 1e5 }";
  const { exitCode, said } = await gate(folder({ gates, script: { memoryPower: 1 } }));
  assert.equal(exitCode, 1, said);
  assert.match(said, /worse than the limit of 100000/);
});

test('a fault of the base is told as the base’s', async () => {
  const { exitCode, said } = await gate(folder(), { baseDir: folder({ script: { fault: 'exit' } }) });
  assert.equal(exitCode, 5);
  assert.match(said, /base: failed/);
});

test('a cell that the base declares and the suite does not is exit 3, whatever the others say', async () => {
  const gates = "{ metric: 'scored-pairs' }";
  const base = folder({ gates, variants: ['dense', 'window:w=4'] });
  const { exitCode, said } = await gateCommand(folder({ gates }), ['--base-dir', base]);
  assert.equal(exitCode, 3, said);
  assert.match(said, /window\.script:w=4[\s\S]*no longer declares it/);
});

test('a cell that is new is shown, and decides nothing', async () => {
  const gates = "{ metric: 'scored-pairs' }";
  const cwd = folder({ gates, variants: ['dense', 'window:w=4'] });
  const { exitCode, said } = await gate(cwd, { baseDir: folder({ gates }) });
  assert.equal(exitCode, 0, said);
  assert.match(said, /the base does not declare this cell/);
});

test('a backend that is not here is exit 3', async () => {
  const { exitCode, said } = await gate(folder({ backend: 'onnx-cuda' }));
  assert.equal(exitCode, 3, said);
  assert.match(said, /onnx-cuda/);
});

/** What is wrong before anything is measured: exit 5, a code, and no verdict. */
const refused: ReadonlyArray<[what: string, given: Given, options: Partial<GateOptions>, says: RegExp]> = [
  ['a suite without gates', { gates: '' }, {}, /\[INVALID_SUITE\][\s\S]*hint/],
  [
    'a gate that selects nothing',
    { gates: "{ select: { length: 17 }, metric: 'latency' }" },
    {},
    /gates\.0 \(latency\) selects none of the 1 cells/,
  ],
  ['an unknown metric', { gates: "{ metric: 'speed' }" }, {}, /INVALID_SUITE\]|gates\.0\.metric/],
  ['a negative margin', { gates: "{ metric: 'latency', margin: -1 }" }, {}, /gates\.0\.margin/],
  ['a suite whose every cell is excluded', { extra: "exclude: [{ variant: 'dense' }]," }, {}, /no cells are left/],
  ['a suite that throws', { extra: '...(() => { throw new Error("oops"); })(),' }, {}, /could not be loaded: oops/],
  ['an adapter that is not there', { extra: "adapters: ['./missing.ts']," }, {}, /missing\.ts: could not be loaded/],
  ['an unknown baseline', {}, { baseline: 'main' }, /no baseline "main".*has none[\s\S]*\[UNKNOWN_BASELINE\]/],
  ['a baseline’s name that is a path', {}, { baseline: '../../etc/passwd' }, /expected a name of letters/],
  ['a base folder that does not exist', {}, { baseDir: '/nowhere' }, /no such folder/],
  ['a self-test against another base', {}, { selfTest: true, baseDir: '.' }, /--self-test cannot be combined with --base-dir/],
  ['a base and a baseline at once', {}, { baseDir: '.', baseline: 'main' }, /cannot be combined/],
];
for (const [what, given, options, says] of refused) {
  test(`${what} is exit 5 before anything is measured`, async () => {
    const { exitCode, said } = await gate(folder(given), options);
    assert.equal(exitCode, 5, said);
    assert.match(said, says);
  });
}

test('the command refuses with exit 5, too: an unknown baseline, and no blocks', async () => {
  for (const [args, says] of [
    [['--baseline', 'main'], /\[UNKNOWN_BASELINE\]/],
    [['--max-blocks', '0'], /expected a whole number/],
  ] as const) {
    const { exitCode, said } = await gateCommand(folder(), args);
    assert.equal(exitCode, 5, said);
    assert.match(said, says);
  }
});

test('a base whose attnswap cannot be an arm is refused with what mends it', async () => {
  const base = folder();
  writeFileSync(join(base, 'package.json'), JSON.stringify({ name: 'attnswap', version: '0.0.1' }));
  const { exitCode, said } = await gate(folder(), { baseDir: base });
  assert.equal(exitCode, 5);
  assert.match(said, /does not support paired comparisons[\s\S]*hint/);
});

test('a gate that has expired decides nothing, and nothing that decides is no pass', async () => {
  // Beyond its limit: a regression, did it decide.
  const cwd = folder({ gates: "{ metric: 'scored-pairs', limit: 1, expires: '2020-01-01' }" });
  const { exitCode, said } = await gate(cwd);
  assert.equal(exitCode, 5, said);
  assert.match(said, /Nothing was compared/);
});

test('a self-test passes where the gate sees an injected slowdown, and says which cells are blind', async () => {
  const seeing = await gateCommand(folder({ gates: wideGate }), ['--self-test', '--max-blocks', '5']);
  assert.equal(seeing.exitCode, 0, seeing.said);
  assert.match(seeing.said, /The gate can fail: it saw a slowdown of twice the margin in the one comparison/);
  const blind = await gateCommand(folder({ gates: "{ metric: 'latency', margin: 0.5, absoluteFloor: 1e12 }" }), ['--self-test']);
  assert.equal(blind.exitCode, 2, blind.said);
  assert.match(
    blind.said,
    /1 of 1 comparisons cannot see a slowdown of twice their margin: dense\.script .*a smaller absoluteFloor or a larger margin/,
  );
  const untimed = await gate(folder({ gates: "{ metric: 'scored-pairs' }" }), { selfTest: true });
  assert.equal(untimed.exitCode, 5);
  assert.match(untimed.said, /No gate compares times/);
});

test('what cannot be told is exit 2, or a pass where the suite lets it', async () => {
  // One block has no interval: whatever it shows, nothing can be told from it.
  const strict = await gate(folder(), { maxBlocks: 1 });
  assert.equal(strict.exitCode, 2, strict.said);
  const lenient = await gate(folder({ gates: "{ metric: 'latency', margin: 0.0000001, absoluteFloor: 1e12 }" }));
  assert.equal(lenient.exitCode, 0, lenient.said);
});

test('a limit is held whatever the base is', async () => {
  const cwd = folder({ gates: "{ metric: 'scored-pairs', limit: 100 }" });
  const { exitCode, said } = await gate(cwd);
  assert.equal(exitCode, 1, said);
  assert.match(said, /256 is worse than the limit of 100/);
});

test('a verdict that cannot be written is refused before anything is measured', async () => {
  const { exitCode, stdout, stderr } = await attnswap(['gate', './my.suite.ts', ...fast, '--out', '/dev/full/verdict.json'], {
    cwd: folder(),
  });
  assert.equal(exitCode, 5);
  assert.equal(stdout, '');
  assert.match(stderr, /FILE_UNWRITABLE/);
});

test('the verdict is told although it can no longer be written when it is there', async () => {
  const cwd = folder({ gates: wideGate });
  const args = ['gate', './my.suite.ts', '--max-blocks', '3', '--block-seconds', '0.05', '--out', 'verdict.json'];
  const running = execa(process.execPath, [main, ...args], { cwd, reject: false });
  // While it measures: a place that could be written when it began.
  running.stderr.on('data', (chunk: Buffer) => {
    if (chunk.toString().includes('[1/')) mkdirSync(join(cwd, 'verdict.json'), { recursive: true });
  });
  const { exitCode, stdout, stderr } = await running;
  assert.equal(exitCode, 5, stderr);
  assert.match(stdout, /pass/);
  assert.match(stderr, /FILE_UNWRITABLE/);
});

test('two gates at once: the second is refused, the first is not disturbed', async () => {
  const cwd = folder({ gates: wideGate });
  const first = execa(process.execPath, [main, 'gate', './my.suite.ts', '--max-blocks', '3', '--block-seconds', '0.3', '--json'], {
    cwd,
    reject: false,
  });
  await new Promise<void>((resolve) => {
    first.stderr.on('data', (chunk: Buffer) => {
      if (chunk.toString().includes('[1/')) resolve();
    });
  });
  const second = await gate(cwd);
  assert.equal(second.exitCode, 5);
  assert.match(second.said, /another attnswap \(process \d+\) is measuring[\s\S]*\[BUSY\]|BUSY/);
  assert.equal((await first).exitCode, 0);
});

test('Ctrl-C ends a gate with exit 130 and a verdict on what was judged, and no worker is left behind', async () => {
  const cwd = folder({ script: { ms: 2 } });
  const child = execa(process.execPath, [main, 'gate', './my.suite.ts', '--block-seconds', '5'], { cwd, reject: false });
  await untilMeasuring(cwd, child);
  child.kill('SIGINT');
  const { exitCode, stdout } = await child;
  assert.equal(exitCode, 130);
  assert.match(stdout, /interrupted before this was judged/);
  assert.match(stdout, /incomplete, exit code 130/);
  await assertNothingLeft(cwd);
});

test('killing the gate itself leaves no worker behind, not even a stopped one', async () => {
  const cwd = folder();
  const child = execa(process.execPath, [main, 'gate', './my.suite.ts', '--block-seconds', '5'], { cwd, reject: false });
  await untilMeasuring(cwd, child);
  child.kill('SIGKILL');
  await child;
  await assertNothingLeft(cwd);
});

async function untilMeasuring(cwd: string, gating: Promise<unknown>): Promise<void> {
  let ended = false;
  void gating.then(() => (ended = true));
  while (!ended && !isMeasuring(cwd)) await setTimeout(20);
}

async function assertNothingLeft(cwd: string): Promise<void> {
  for (let attempt = 0; attempt < 50 && processesIn(cwd).length > 0; attempt++) await setTimeout(100);
  assert.deepEqual(processesIn(cwd), []);
}

test('calibrate stores what the host can tell; a gate below it refuses, and forgets it when it is old, of another host or dated ahead', async () => {
  const cwd = folder({ gates: "{ metric: 'latency', margin: 10 }" });
  const { exitCode, stdout, stderr } = await attnswap(['calibrate', './my.suite.ts', '--blocks', '3', '--quiet'], { cwd });
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /least margin/);
  const path = join(cwd, '.attnswap/calibrations.json');
  const file = JSON.parse(readFileSync(path, 'utf8')) as {
    calibrations: Array<{ minimumDetectableEffect: number; standardDeviation: number; measuredAt: string; fingerprint: string }>;
  };
  const [own] = file.calibrations;
  const gateWith = async (change: Partial<typeof own>) => {
    writeFileSync(path, JSON.stringify({ ...file, calibrations: [{ ...own, ...change }] }));
    return gate(cwd);
  };
  const noisy = { minimumDetectableEffect: 8, standardDeviation: 3 };
  const refusal = await gateWith(noisy);
  assert.equal(refusal.exitCode, 2, refusal.said);
  assert.match(refusal.said, /less than twice the 800 % that this host can detect with 40 blocks: \d+ blocks would be needed/);
  const day = 86_400_000;
  for (const invalid of [
    { measuredAt: new Date(Date.now() - 15 * day).toISOString() },
    { measuredAt: new Date(Date.now() + day).toISOString() },
    { fingerprint: 'c'.repeat(64) },
  ]) {
    const { said, verdict } = await gateWith({ ...noisy, ...invalid });
    assert.doesNotMatch(said, /less than twice/);
    assert.match(verdict().comparisons[0]!.warnings.join(), /not calibrated/);
  }
  writeFileSync(path, '{"schema":');
  const broken = await gate(cwd);
  assert.equal(broken.exitCode, 5);
  assert.match(broken.said, /INVALID_CALIBRATION/);
});
