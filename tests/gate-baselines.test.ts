import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { saveBaseline } from '../src/operations/baseline.ts';
import { attnswap, emptyFolder } from './run-cli.ts';
import { benchTo, folder, gate, gateCommand, latencyGate, scriptedBaseline, threeRuns, verdictOf, writeSuite } from './scripted-gate.ts';
import type { BaselineFile, Given } from './scripted-gate.ts';

// A run of the scripted suite, promoted, then spoilt in every way.
let stored: { cwd: string; baseline: BaselineFile };
before(async () => {
  const cwd = folder({ gates: `${latencyGate}, { metric: 'scored-pairs' }` });
  const runs = await threeRuns(cwd);
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
  assert.match(silent.stderr, /the reason is missing/);
  const kept = JSON.parse(readFileSync(join(stored.cwd, '.attnswap/baselines/main.json'), 'utf8')) as BaselineFile;
  assert.equal(kept.runs.length, 3);
});

test('baseline list and show tell what is stored', async () => {
  const list = await attnswap(['baseline', 'list'], { cwd: stored.cwd });
  assert.match(list.stdout, /main\s+mine\s+3/);
  const show = await attnswap(['baseline', 'show', 'main'], { cwd: stored.cwd });
  assert.match(show.stdout, /first[\s\S]*dense\.script/);
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
