import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { AttnswapError } from '../../src/contract/errors.ts';
import { readVerdict } from '../../src/contract/verdict.ts';
import type { Verdict } from '../../src/contract/verdict.ts';
import { saveBaseline } from '../../src/operations/baseline.ts';
import { bench } from '../../src/operations/bench.ts';
import { gate as judge } from '../../src/operations/gate.ts';
import type { GateOptions } from '../../src/operations/gate.ts';
import { verdictTable } from '../../src/verdict/table.ts';
import { attnswap, emptyFolder, main, processesIn } from '../run-cli.ts';

// Whatever goes wrong, a gate never exits with 0, says what it was, and loses nothing. A scripted adapter answers the
// reference and takes as long as it is told: what is tested is what decides, in real processes. Each exit code is seen of the command
// itself; beyond that the operation is called here.
const adapter = fileURLToPath(new URL('../fixtures/scripted-adapter.ts', import.meta.url));
const fast = ['--max-blocks', '3', '--block-seconds', '0.05', '--quiet'];
const latencyGate = "{ metric: 'latency', margin: 0.5 }";
/** For what holds whatever is measured: no noise reaches its margin. */
const wideGate = "{ metric: 'latency', margin: 10 }";

interface Given {
  readonly gates?: string;
  readonly variants?: readonly string[];
  readonly lengths?: string;
  readonly extra?: string;
  readonly backend?: string;
  /** What the new arm's adapter does. */
  readonly script?: object;
}

/** A folder with a suite over the scripted adapter. */
function folder({
  gates = latencyGate,
  variants = ['dense'],
  lengths = '[16]',
  extra = '',
  backend = 'scripted',
  script,
}: Given = {}): string {
  const cwd = emptyFolder();
  writeSuite(join(cwd, 'my.suite.ts'), `gates: [${gates}],`, { variants, lengths, extra, backend });
  if (script !== undefined) writeFileSync(join(cwd, 'fault.json'), JSON.stringify(script));
  return cwd;
}

function writeSuite(
  path: string,
  gates: string,
  given: { variants: readonly string[]; lengths: string; extra: string; backend: string },
): void {
  writeFileSync(
    path,
    `import { defineSuite } from 'attnswap';
export default defineSuite({
  name: 'mine', adapters: [${JSON.stringify(adapter)}], reference: 'dense.script',
  matrix: { variants: ${JSON.stringify(given.variants)}, backends: ['${given.backend}'], lengths: ${given.lengths}, heads: 1, headDim: 8, inputs: ['gaussian'] },
  sampleSeconds: 0.02, wasteRows: 4, ${gates} ${given.extra}
});
`,
  );
}

/** The command. */
async function gateCommand(cwd: string, args: readonly string[] = []) {
  const result = await attnswap(['gate', './my.suite.ts', ...fast, '--out', 'verdict.json', ...args], { cwd });
  return { ...result, said: (result.stdout + result.stderr).replaceAll(/\s+/g, ' ') };
}

const verdictOf = (cwd: string) => readVerdict(JSON.parse(readFileSync(join(cwd, 'verdict.json'), 'utf8')), 'verdict.json');

/** The operation, with the exit code that the command gives and what it says; `verdict` throws where there is none. */
async function gate(cwd: string, options: Partial<GateOptions> = {}) {
  process.chdir(cwd);
  try {
    const reached = await judge({ suite: './my.suite.ts', maxBlocks: 3, blockSeconds: 0.05, ...options });
    const verdict = (): Verdict => readVerdict(JSON.parse(JSON.stringify(reached)), 'verdict');
    return { exitCode: reached.exitCode, said: verdictTable(reached).replaceAll(/\s+/g, ' '), verdict };
  } catch (error) {
    if (!(error instanceof AttnswapError)) throw error;
    const verdict = (): Verdict => assert.fail(error);
    return { exitCode: 5, said: `${error.message} [${error.code}] hint: ${error.hint}`.replaceAll(/\s+/g, ' '), verdict };
  }
}

test('equal arms pass with exit 0, and every rendering is written', async () => {
  const cwd = folder();
  const files = ['--junit', 'junit.xml', '--sarif', 'gate.sarif', '--markdown', 'comment.md'];
  const { exitCode, said } = await gateCommand(cwd, files);
  assert.equal(exitCode, 0, said);
  assert.equal(verdictOf(cwd).outcome, 'pass');
  assert.match(readFileSync(join(cwd, 'junit.xml'), 'utf8'), /<testcase/);
  assert.equal((JSON.parse(readFileSync(join(cwd, 'gate.sarif'), 'utf8')) as { version: string }).version, '2.1.0');
  assert.match(readFileSync(join(cwd, 'comment.md'), 'utf8'), /pass/i);
});

test('a slower new arm is a regression, a faster one an improvement, and swapping them negates the effect', async () => {
  const slow = folder({ script: { ms: 4 } });
  const quick = folder();
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
  const gates = "{ metric: 'cpu-time', margin: 0.5 }";
  const base = folder({ gates });
  const waits = await gate(folder({ gates, script: { idleMs: 8 } }), { baseDir: base });
  assert.equal(waits.exitCode, 0, waits.said);
  assert.equal(waits.verdict().comparisons[0]!.outcome, 'pass');
  const computes = await gate(folder({ gates, script: { ms: 4 } }), { baseDir: base });
  assert.equal(computes.exitCode, 1, computes.said);
  assert.match(computes.said, /CPU time/);
  assert.doesNotMatch(computes.said, /calibrate/);
});

/** What goes wrong in the new arm, what the gate exits with, and what it says. */
const faultyArms: ReadonlyArray<[what: string, given: Given, exitCode: number, says: RegExp]> = [
  ['a worker that exits before it answers', { script: { fault: 'exit' } }, 5, /new: failed: the worker exited with code 7/],
  ['a worker that is killed while it samples', { script: { fault: 'die-later' } }, 5, /new: failed: the worker was ended by SIGKILL/],
  ['NaN in the output', { script: { fault: 'nan' } }, 5, /new: mismatch/],
  ['a wrong output', { script: { fault: 'wrong' } }, 5, /new: mismatch: relative error/],
  ['a kernel that is not supported', { script: { fault: 'unsupported' } }, 3, /new: unsupported: .*the script says so/],
  ['a call that throws', { script: { fault: 'throws' } }, 5, /new: failed: Error: the script says so/],
  ['a call that never ends', { script: { fault: 'hangs' }, extra: 'timeoutSeconds: 2,' }, 5, /new: timed-out: no answer within 2 s/],
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
  ['a baseline’s name that is a path', {}, { baseline: '../../etc/passwd' }, /cannot be named/],
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

/** Whether one worker of a pair is stopped, so that the other one works. */
function isMeasuring(cwd: string): boolean {
  try {
    return processesIn(cwd).some((pid) => /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')));
  } catch {
    return false; // One ended between two looks.
  }
}

async function untilMeasuring(cwd: string, gating: Promise<unknown>): Promise<void> {
  let ended = false;
  void gating.then(() => (ended = true));
  while (!ended && !isMeasuring(cwd)) await setTimeout(20);
}

async function assertNothingLeft(cwd: string): Promise<void> {
  for (let attempt = 0; attempt < 50 && processesIn(cwd).length > 0; attempt++) await setTimeout(100);
  assert.deepEqual(processesIn(cwd), []);
}

// Baselines: a run of the scripted suite, promoted, then spoilt in every way.
let stored: { cwd: string; baseline: BaselineFile };
interface BaselineFile {
  name: string;
  fingerprint: string;
  runs: Array<{
    run: {
      startedAt: string;
      complete: boolean;
      cells: Array<{ id: string; status: string; latency?: { medianNs: number } }>;
      declared: string[];
      host: { fingerprint: { sha256: string } };
    };
  }>;
}

/** Measures the suite of a folder into a record there. */
async function benchTo(cwd: string, record: string): Promise<void> {
  process.chdir(cwd);
  const { complete, cells } = await bench({ suite: './my.suite.ts', record });
  assert.ok(complete && cells.every(({ status }) => status === 'ok'));
}

/** A baseline of one run, taken for three: the figures that are judged are scripted. */
async function scriptedBaseline(cwd: string): Promise<void> {
  await benchTo(cwd, 'run1.json');
  const run = JSON.parse(readFileSync(join(cwd, 'run1.json'), 'utf8')) as { startedAt: string };
  const runs = ['run1.json', 'run2.json', 'run3.json'];
  for (const [index, path] of runs.entries())
    writeFileSync(join(cwd, path), JSON.stringify({ ...run, startedAt: new Date(Date.UTC(2026, 0, 1 + index)).toISOString() }));
  await saveBaseline({ name: 'main', runs, reason: 'first' });
}

before(async () => {
  const cwd = folder({ gates: `${latencyGate}, { metric: 'scored-pairs' }` });
  const runs: string[] = [];
  for (const index of [1, 2, 3]) {
    runs.push(`run${index}.json`);
    await benchTo(cwd, `run${index}.json`);
  }
  const { exitCode, stderr } = await attnswap(['baseline', 'save', 'main', ...runs, '--reason', 'first'], { cwd });
  assert.equal(exitCode, 0, stderr);
  stored = { cwd, baseline: JSON.parse(readFileSync(join(cwd, '.attnswap/baselines/main.json'), 'utf8')) as BaselineFile };
});

/** A folder whose stored baseline was changed by `spoil`. */
function spoilt(spoil: (baseline: BaselineFile) => unknown, given: Given = {}): string {
  const cwd = folder({ gates: `${latencyGate}, { metric: 'scored-pairs' }`, ...given });
  mkdirSync(join(cwd, '.attnswap/baselines'), { recursive: true });
  const baseline = structuredClone(stored.baseline);
  const content = spoil(baseline);
  writeFileSync(join(cwd, '.attnswap/baselines/main.json'), typeof content === 'string' ? content : JSON.stringify(baseline));
  return cwd;
}

const baselines: ReadonlyArray<[what: string, spoil: (baseline: BaselineFile) => unknown, exitCode: number, says: RegExp]> = [
  ['the very baseline', () => undefined, 0, /pass/],
  ['a truncated baseline', (baseline) => JSON.stringify(baseline).slice(0, 5000), 5, /not JSON[\s\S]*INVALID_BASELINE/],
  ['an empty file', () => ' ', 5, /INVALID_BASELINE/],
  ['a baseline of another schema', () => '{"schema":"attnswap.baseline/9"}', 5, /INVALID_BASELINE/],
  ['a baseline of another host', (baseline) => void (baseline.fingerprint = 'a'.repeat(64)), 4, /a different host or configuration/],
  ['a baseline of one run', (baseline) => void baseline.runs.splice(1), 2, /has 1 runs, but 3 are needed/],
  ['a baseline without the cell', (baseline) => baseline.runs.forEach(({ run }) => void run.cells.splice(0)), 3, /has no latency/],
  [
    'a baseline with a cell that vanished',
    (baseline) => void baseline.runs[0]!.run.declared.push('dense.gone'),
    3,
    /dense\.gone[\s\S]*no longer declares it/,
  ],
  [
    'a baseline that was faster',
    (baseline) => baseline.runs.forEach(({ run }) => void (run.cells[0]!.latency!.medianNs /= 3)),
    1,
    /stored runs/,
  ],
];
for (const [what, spoil, code, says] of baselines) {
  test(`against ${what}: exit ${code}`, async () => {
    const cwd = spoilt(spoil);
    const { exitCode, said } = await gate(cwd, { baseline: 'main' });
    assert.equal(exitCode, code, said);
    assert.match(said, says);
  });
}

test('another host’s baseline still judges what carries across machines', async () => {
  const cwd = spoilt((baseline) => void (baseline.fingerprint = 'a'.repeat(64)));
  const { exitCode, said } = await gateCommand(cwd, ['--baseline', 'main']);
  assert.equal(exitCode, 4, said);
  const outcomes = verdictOf(cwd).comparisons.map(({ metric, outcome }) => [metric, outcome]);
  assert.deepEqual(outcomes, [
    ['latency', 'incomparable'],
    ['scored-pairs', 'pass'],
  ]);
});

test('a portable baseline is judged on any machine by figures without noise, and what cannot be judged there is said', async () => {
  const gates = [
    latencyGate,
    "{ metric: 'scored-pairs' }",
    "{ metric: 'error', margin: 1, absoluteFloor: 1e-6 }",
    "{ metric: 'memory-growth' }",
    "{ select: { variant: 'window:w=8' }, metric: 'ratio-to-reference', limit: 1e-9 }",
  ].join(', ');
  const given = { gates, lengths: '[16, 32]', variants: ['dense', 'window:w=8'], script: { memoryPower: 1 } };
  const cwd = folder(given);
  await benchTo(cwd, 'run.json');
  const save = ['baseline', 'save', 'main', 'run.json', '--reason', 'first', '--portable', '--store', '.'];
  assert.equal((await attnswap(save, { cwd })).exitCode, 0);
  const path = join(cwd, 'baselines/main.json');
  const saved = JSON.parse(readFileSync(path, 'utf8')) as {
    fingerprint: string;
    portable: { figures: Record<string, Record<string, number>> };
  };
  assert.ok(readFileSync(path, 'utf8').length < 5000, 'figures, not runs');
  writeFileSync(path, JSON.stringify({ ...saved, fingerprint: 'a'.repeat(64) }));
  const elsewhere = await gate(cwd, { baseline: 'main', store: '.' });
  assert.equal(elsewhere.exitCode, 0, elsewhere.said);
  assert.match(elsewhere.said, /latency varies between machines .* so it is not judged/);
  const found = elsewhere
    .verdict()
    .comparisons.map(({ metric, outcome, decides, base }) => [metric, outcome, decides, base !== null].join(' '));
  assert.deepEqual([...new Set(found)].toSorted(), [
    'error pass true true',
    'latency incomparable false false',
    'memory-growth incomparable false true',
    'ratio-to-reference incomparable false true',
    'scored-pairs pass true true',
  ]);
  const listed = await attnswap(['baseline', 'list', '--store', '.'], { cwd });
  assert.match(listed.stdout, /main +mine +1 +portable/);
  const shown = await attnswap(['baseline', 'show', 'main', '--store', '.'], { cwd });
  assert.match(shown.stdout, /scored-pairs/);
  // What no machine can excuse: another count of pairs, or a cell that is gone.
  const [cell] = Object.keys(saved.portable.figures) as [string];
  saved.portable.figures[cell]!['scored-pairs']! /= 2;
  writeFileSync(path, JSON.stringify(saved));
  const worse = await gate(cwd, { baseline: 'main', store: '.' });
  assert.equal(worse.exitCode, 1, worse.said);
  delete saved.portable.figures[cell]!['scored-pairs'];
  writeFileSync(path, JSON.stringify(saved));
  const lacking = await gate(cwd, { baseline: 'main', store: '.' });
  assert.equal(lacking.exitCode, 3, lacking.said);
  assert.match(lacking.said, /has no scored-pairs/);
});

test('growth of memory is judged against stored runs, and a stored run that lacks a length is no base', async () => {
  const given = { gates: "{ metric: 'memory-growth', margin: 0.25 }", lengths: '[16, 32]', script: { memoryPower: 1 } };
  const cwd = folder(given);
  await scriptedBaseline(cwd);
  const same = await gate(cwd, { baseline: 'main' });
  assert.equal(same.exitCode, 0, same.said);
  writeFileSync(join(cwd, 'fault.json'), JSON.stringify({ memoryPower: 2 }));
  const worse = await gate(cwd, { baseline: 'main' });
  assert.equal(worse.exitCode, 1, worse.said);
  assert.match(worse.said, /2× → 4×/);
  const path = join(cwd, '.attnswap/baselines/main.json');
  const baseline = JSON.parse(readFileSync(path, 'utf8')) as BaselineFile;
  for (const { run } of baseline.runs) run.cells.splice(1);
  writeFileSync(path, JSON.stringify(baseline));
  const lacking = await gate(cwd, { baseline: 'main' });
  assert.equal(lacking.exitCode, 3, lacking.said);
});

test('a limit and an absolute floor hold against stored runs, too', async () => {
  const given = { gates: "{ metric: 'peak-memory', margin: 0.1 }", script: { memoryPower: 1 } };
  const cwd = folder(given);
  await scriptedBaseline(cwd);
  const suite = { variants: ['dense'], lengths: '[16]', extra: '', backend: 'scripted' };
  writeSuite(join(cwd, 'limited.suite.ts'), "gates: [{ metric: 'peak-memory', margin: 0.1, limit: 1e5 }],", suite);
  const limited = await gate(cwd, { suite: './limited.suite.ts', baseline: 'main' });
  assert.equal(limited.exitCode, 1, limited.said);
  assert.match(limited.said, /worse than the limit of 100000/);
  writeFileSync(join(cwd, 'fault.json'), JSON.stringify({ memoryPower: 2 }));
  writeSuite(join(cwd, 'floor.suite.ts'), "gates: [{ metric: 'peak-memory', margin: 0.1, absoluteFloor: 1e9 }],", suite);
  const small = await gate(cwd, { suite: './floor.suite.ts', baseline: 'main' });
  assert.equal(small.exitCode, 0, small.said);
});

test('one bad run of three does not poison a baseline', async () => {
  const cwd = spoilt((baseline) => void (baseline.runs[0]!.run.cells[0]!.latency!.medianNs *= 50));
  const { exitCode, said, verdict } = await gate(cwd, { baseline: 'main' });
  assert.notEqual(exitCode, 1, said);
  const others = stored.baseline.runs.slice(1).map(({ run }) => run.cells[0]!.latency!.medianNs);
  assert.equal(verdict().comparisons[0]!.base, Math.max(...others));
});

test('only whole, clean runs of one host, each once and with a reason, are promoted', async () => {
  const run = JSON.parse(readFileSync(join(stored.cwd, 'run1.json'), 'utf8')) as BaselineFile['runs'][number]['run'];
  const spoil = (change: (copy: typeof run) => void) => {
    const copy = structuredClone(run);
    change(copy);
    writeFileSync(join(stored.cwd, 'spoilt.json'), JSON.stringify(copy));
  };
  process.chdir(stored.cwd);
  const attempts: ReadonlyArray<[(copy: typeof run) => void, RegExp]> = [
    [(copy) => void (copy.complete = false), /is incomplete/],
    [(copy) => void (copy.cells[0]!.status = 'failed'), /has a cell that is failed/],
    [(copy) => void (copy.host.fingerprint.sha256 = 'b'.repeat(64)), /a different host/],
    [(copy) => void copy.cells.splice(0), /has no cells/],
    [() => undefined, /is already in main/],
  ];
  for (const [change, message] of attempts) {
    spoil(change);
    await assert.rejects(saveBaseline({ name: 'main', runs: ['spoilt.json'], reason: 'test' }), { name: 'AttnswapError', message });
  }
  spoil((copy) => void (copy.startedAt = '2030-01-01T00:00:00.000Z'));
  const silent = await attnswap(['baseline', 'save', 'main', 'spoilt.json'], { cwd: stored.cwd });
  assert.equal(silent.exitCode, 5);
  assert.match(silent.stderr, /needs a reason/);
  const kept = JSON.parse(readFileSync(join(stored.cwd, '.attnswap/baselines/main.json'), 'utf8')) as BaselineFile;
  assert.equal(kept.runs.length, 3);
});

test('baseline list and show tell what is stored', async () => {
  const list = await attnswap(['baseline', 'list'], { cwd: stored.cwd });
  assert.match(list.stdout, /main\s+mine\s+3/);
  const show = await attnswap(['baseline', 'show', 'main'], { cwd: stored.cwd });
  assert.match(show.stdout, /first[\s\S]*dense\.script/);
});

test('calibrate stores what the host can tell; a gate below it refuses, and forgets it when it is old, of another host or dated ahead', async () => {
  const cwd = folder({ gates: "{ metric: 'latency', margin: 0.5 }" });
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
  const noisy = { minimumDetectableEffect: 0.4, standardDeviation: 0.3 };
  const refusal = await gateWith(noisy);
  assert.equal(refusal.exitCode, 2, refusal.said);
  assert.match(refusal.said, /less than twice the 40 % that this host can detect with 40 blocks: \d+ blocks would be needed/);
  const day = 86_400_000;
  for (const invalid of [
    { measuredAt: new Date(Date.now() - 15 * day).toISOString() },
    { measuredAt: new Date(Date.now() + day).toISOString() },
    { fingerprint: 'c'.repeat(64) },
  ]) {
    const { exitCode: code, said, verdict } = await gateWith({ ...noisy, ...invalid });
    assert.notEqual(code, 2, said);
    assert.match(verdict().comparisons[0]!.warnings.join(), /not calibrated/);
  }
  writeFileSync(path, '{"schema":');
  const broken = await gate(cwd);
  assert.equal(broken.exitCode, 5);
  assert.match(broken.said, /INVALID_CALIBRATION/);
});

test('history finds between which two runs a cell became slower', async () => {
  const cwd = emptyFolder();
  const run = JSON.parse(readFileSync(join(stored.cwd, 'run1.json'), 'utf8')) as BaselineFile['runs'][number]['run'];
  const files: string[] = [];
  for (let index = 0; index < 24; index++) {
    const copy = structuredClone(run);
    copy.startedAt = new Date(Date.UTC(2026, 0, 1 + index)).toISOString();
    copy.cells[0]!.latency!.medianNs = (index < 12 ? 1e6 : 1.2e6) * (1 + 0.01 * Math.sin(7 * index));
    files.push(`${String(index).padStart(2, '0')}.json`);
    writeFileSync(join(cwd, files.at(-1)!), JSON.stringify(copy));
  }
  const { exitCode, stdout, stderr } = await attnswap(['history', ...files, '--json'], { cwd });
  assert.equal(exitCode, 0, stderr);
  const { series } = JSON.parse(stdout) as {
    series: Array<{ runs: number; changes: Array<{ before: string; after: string; change: number }> }>;
  };
  assert.equal(series.length, 1);
  assert.equal(series[0]!.changes.length, 1);
  const [change] = series[0]!.changes;
  assert.match(change!.before, /11\.json$/);
  assert.match(change!.after, /12\.json$/);
  assert.ok(Math.abs(change!.change - 0.2) < 0.02);
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
  const settings = ['--backend', 'scripted', '--margin', '50', ...fast];
  const slower = await attnswap(['ab', 'dense', ...cell, ...settings, '--base-dir', folder()], { cwd });
  assert.equal(slower.exitCode, 1, slower.stderr);
  assert.match(slower.stdout, /dense\.script/);
  const equal = await attnswap(['ab', 'dense', 'dense', ...cell, ...settings], { cwd });
  assert.equal(equal.exitCode, 0, equal.stderr + equal.stdout);
  const one = await attnswap(['ab', 'dense', ...cell, ...settings], { cwd });
  assert.equal(one.exitCode, 5);
  assert.match(one.stderr, /both arms are the same/);
});
