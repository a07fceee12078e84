import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CellRecord } from '../contract/cell.ts';
import { readRun } from '../contract/run.ts';
import type { RunRecord } from '../contract/run.ts';
import { quietHost } from '../measure/fixtures/quiet-host.ts';
import { compareRuns } from './compare-runs.ts';
import { comparedRunsCsv } from './compared-runs-csv.ts';
import { comparisonReport } from './comparison-report.ts';
import { isWhole, missingCells, refusedSentence, whatDiffers } from './comparison/wording.ts';
import { comparisonText } from '../cli/compare-text.ts';
import { sampleRun } from './fixtures/sample-run.ts';
import type { Chart, Part, Report } from './document.ts';

const close = (actual: number | undefined, expected: number) =>
  assert.ok(actual !== undefined && Math.abs(actual / expected - 1) < 1e-12, `${actual} is not ${expected}`);

/** A run whose cells have these medians, ±10 % and −20 % as interval. */
function timed(medians: readonly number[], options: Parameters<typeof sampleRun>[0] = {}): RunRecord {
  const run = sampleRun({ variants: ['dense.fused'], lengths: medians.map((_, index) => 64 * (index + 1)), ...options });
  return { ...run, cells: run.cells.map((cell, index) => withMedian(cell, medians[index]!)) };
}

function withMedian(cell: CellRecord, medianNs: number): CellRecord {
  return { ...cell, latency: { ...cell.latency!, medianNs, ciNs: { low: 0.8 * medianNs, high: 1.1 * medianNs, coverage: 0.95 } } };
}

/** The run with every cell changed. */
function changed(run: RunRecord, change: (cell: CellRecord, index: number) => CellRecord): RunRecord {
  return { ...run, cells: run.cells.map(change) };
}

function compared(...runs: RunRecord[]) {
  return compareRuns(runs.map((run, index) => ({ source: `${'abcdefgh'[index]}.json`, run })));
}

function charts(report: Report): Chart[] {
  return report.sections.flatMap(({ parts }) => parts.filter((part: Part): part is Chart => part.kind === 'chart'));
}

test('the sample run is valid, and the same every time', () => {
  assert.deepEqual(readRun(JSON.parse(JSON.stringify(sampleRun())), 'sample'), sampleRun());
});

test('a ratio is the median over the base’s, its interval both intervals in quadrature in logarithms', () => {
  const { rows } = compared(timed([1000]), timed([1500]));
  const { ratio } = rows[0]!.cells[1]!;
  close(ratio!.value, 1.5);
  close(ratio!.interval!.high, 1.5 * Math.exp(Math.sqrt(Math.log(1.1) ** 2 + Math.log(1 / 0.8) ** 2)));
  close(ratio!.interval!.low, 1.5 * Math.exp(-Math.sqrt(Math.log(1 / 0.8) ** 2 + Math.log(1.1) ** 2)));
  assert.equal(rows[0]!.cells[0]!.ratio, null);
});

test('swapping the records inverts ratios, intervals and means', () => {
  const [there, back] = [compared(timed([1000, 900]), timed([1500, 300])), compared(timed([1500, 300]), timed([1000, 900]))];
  for (const [index, row] of there.rows.entries()) {
    const [ratio, inverse] = [row.cells[1]!.ratio!, back.rows[index]!.cells[1]!.ratio!];
    close(ratio.value, 1 / inverse.value);
    close(ratio.interval!.low, 1 / inverse.interval!.high);
  }
  close(there.columns[1]!.meanRatio!.value, 1 / back.columns[1]!.meanRatio!.value);
});

test('the mean is geometric, over the cells that are ok in both, with their number and range', () => {
  const fresh = changed(timed([200, 400, 12345, 800]), (cell, index) =>
    index === 2 ? { ...cell, status: 'failed', reason: 'out of memory' } : cell,
  );
  const { columns } = compared(timed([100, 100, 100, 100]), fresh);
  const { value, least, most, cells } = columns[1]!.meanRatio!;
  close(value, 4);
  assert.deepEqual([least, most, cells], [2, 8, 3]);
  assert.deepEqual([columns[1]!.shared, columns[1]!.missing], [4, 1]);
});

test('a median of 0 has no ratio, and an interval that begins at 0 none', () => {
  const bare = changed(timed([0, 100]), (cell) => ({
    ...cell,
    latency: { ...cell.latency!, ciNs: { low: 0, high: 200, coverage: 0.95 } },
  }));
  const { rows, columns } = compared(timed([100, 100]), bare);
  assert.deepEqual(
    rows.map(({ cells }) => cells[1]!.ratio),
    [null, { value: 1, interval: null }],
  );
  assert.equal(columns[1]!.meanRatio!.cells, 1);
});

test('cells pair across backends, and the columns are then named for them', () => {
  const comparison = compared(timed([100]), timed([50], { backend: 'onnx-cuda' }));
  assert.deepEqual(
    comparison.columns.map(({ name }) => name),
    ['a.json · onnx-cpu', 'b.json · onnx-cuda'],
  );
  close(comparison.columns[1]!.meanRatio!.value, 0.5);
  assert.ok(comparison.differences.some(({ field, values }) => field === 'version of onnx-cuda' && values[0] === 'not used'));
});

test('a record of two backends has a column for each', () => {
  const [cpu, cuda] = [timed([100]), timed([50], { backend: 'onnx-cuda' })];
  const both = { ...cpu, cells: [...cpu.cells, ...cuda.cells], declared: [...cpu.declared, ...cuda.declared] };
  const { columns } = compared(both, cpu);
  assert.deepEqual(
    columns.map(({ name, record }) => [name, record]),
    [
      ['a.json · onnx-cpu', 0],
      ['a.json · onnx-cuda', 0],
      ['b.json · onnx-cpu', 1],
    ],
  );
});

test('a backend is compared with the same one of the first record, and with its first where it has none', () => {
  const of = (cpu: number, cuda: number, webgpu?: number) => {
    const runs = [timed([cpu]), timed([cuda], { backend: 'onnx-cuda' })];
    if (webgpu !== undefined) runs.push(timed([webgpu], { backend: 'onnx-webgpu' }));
    return { ...runs[0]!, cells: runs.flatMap(({ cells }) => cells), declared: runs.flatMap(({ declared }) => declared) };
  };
  const comparison = compared(of(100, 10), of(200, 40, 50));
  const { columns, rows } = comparison;
  assert.deepEqual(
    columns.map(({ base, meanRatio }) => [base, meanRatio?.value.toFixed(3)]),
    [
      [0, undefined],
      [0, '0.100'],
      [0, '2.000'],
      [1, '4.000'],
      [0, '0.500'],
    ],
  );
  assert.equal(rows.length, 1);
  assert.match(comparisonText(comparison), /B +D +D \/ B +peak\n/);
  assert.match(comparedRunsCsv(comparison), /b\.json · onnx-cuda,.*,10,4,.*,a\.json · onnx-cuda\n/);
  assert.ok(charts(comparisonReport(comparison)).some(({ title }) => title === 'b.json · onnx-cuda against a.json · onnx-cuda'));
});

test('a column that another is compared with stays, though it shares nothing with the first', () => {
  const own = (base: number, cuda: number) => {
    const [cpu, other] = [timed([base]), changed(timed([cuda], { backend: 'onnx-cuda' }), (cell) => ({ ...cell, inputs: 'gaussian' }))];
    return { ...cpu, cells: [...cpu.cells, ...other.cells], declared: [...cpu.declared, ...other.declared] };
  };
  const { columns, refused } = compared(own(100, 10), own(300, 20));
  assert.deepEqual(refused, []);
  assert.deepEqual(
    columns.map(({ base, shared, meanRatio }) => [base, shared, meanRatio?.value.toFixed(3)]),
    [
      [0, 1, undefined],
      [0, 0, undefined],
      [0, 1, '3.000'],
      [1, 1, '2.000'],
    ],
  );
});

test('another seed, shape or kind of inputs never pairs', () => {
  const base = timed([100]);
  const others = [
    changed(base, (cell) => ({ ...cell, seed: 2 })),
    changed(base, (cell) => ({ ...cell, inputs: 'gaussian' })),
    changed(base, (cell) => ({ ...cell, shape: { ...cell.shape, causal: false } })),
    changed(base, (cell) => ({ ...cell, kernel: 'mha' })),
  ];
  const { columns, refused } = compared(base, ...others);
  assert.equal(columns.length, 1);
  assert.deepEqual(
    refused.map(({ nearest }) => nearest),
    [['seed 1 against 2'], ['inputs calibrated against gaussian'], ['mask causal against full'], ['kernel dense.fused against dense.mha']],
  );
});

test('parameters pair whatever their order', () => {
  const base = sampleRun({ variants: ['window.tiled:w=8,globals=2'], lengths: [64] });
  const turned = changed(base, (cell) => ({
    ...cell,
    variant: { ...cell.variant, params: Object.fromEntries(Object.entries(cell.variant.params).toReversed()) },
  }));
  assert.equal(compared(base, turned).rows.length, 1);
});

test('configurations without a shared cell are refused, and the nearest cells say why', () => {
  const base = sampleRun({ lengths: [512, 2048] });
  const wide = changed(sampleRun({ lengths: [640] }), (cell) => ({ ...cell, shape: { ...cell.shape, heads: 12, kvHeads: 12 } }));
  const comparison = compared(base, wide, base);
  assert.deepEqual(
    comparison.columns.map(({ name }) => name),
    ['a.json', 'c.json'],
  );
  const [refused] = comparison.refused;
  assert.equal(
    refusedSentence(refused!),
    'b.json shares no cell with a.json: the nearest cells differ: heads 8 against 12; length 512 against 640.',
  );
  assert.equal(isWhole(comparison), false);
});

test('what is missing is listed for each column, with its status and reason', () => {
  const base = sampleRun({ variants: ['dense.fused', 'dense.naive'], lengths: [512] });
  const fresh = changed(sampleRun({ variants: ['dense.fused', 'window.tiled'], lengths: [512] }), (cell, index) =>
    index === 0 ? { ...cell, status: 'mismatch', reason: 'off by 1' } : cell,
  );
  const missing = missingCells(compared(base, fresh)).map(({ column, kernel, status, reason }) => [column, kernel, status, reason]);
  assert.deepEqual(missing, [
    ['a.json', 'window.tiled', 'absent', ''],
    ['b.json', 'dense.fused', 'mismatch', 'off by 1'],
    ['b.json', 'dense.naive', 'absent', ''],
  ]);
});

test('fields of the hosts, versions and suite that differ are told one by one, and those alone', () => {
  const fresh = sampleRun({ host: { cpu: { ...quietHost.cpu, model: 'M4' } }, versions: { node: '22.18.0', attnswap: '0.2.0' } });
  const comparison = compared(sampleRun(), { ...fresh, suite: { ...fresh.suite, name: 'other' } });
  assert.deepEqual(
    comparison.differences.map(({ field, values }) => [field, ...values]),
    [
      ['CPU model', quietHost.cpu.model, 'M4'],
      ['version of attnswap', '0.1.0', '0.2.0'],
      ['version of node', '24.21.0', '22.18.0'],
      ['suite', 'sample', 'other'],
    ],
  );
  assert.match(whatDiffers(comparison), /^What differs: CPU model, version of attnswap, .*a ratio reflects all of these differences/);
});

test('equal records differ in nothing, and noise is no part of what a ratio compares', () => {
  const [base, same] = [sampleRun(), sampleRun({ seed: 9 })];
  assert.deepEqual(compared(base, same).differences, []);
  const noisy = compared(base, { ...same, warnings: ['on battery'] });
  assert.deepEqual(noisy.differences, [{ kind: 'measuring', field: 'warnings of noise', values: ['none', 'on battery'] }]);
  assert.match(whatDiffers(noisy), /^The records show no difference in host, versions or suite/);
});

test('hosts that are absent, foreign or half described are said to be not described', () => {
  for (const host of [undefined, null, 'a laptop', [], { fingerprint: 7 }, { fingerprint: { identity: null } }]) {
    const comparison = compared(sampleRun(), { ...sampleRun(), host });
    assert.deepEqual(comparison.differences, [{ kind: 'host', field: 'host', values: ['described', 'not described'] }]);
    assert.match(whatDiffers(comparison), /b\.json does not describe the host/);
  }
  const half = { fingerprint: { identity: { cpu: 7, logicalCores: 2, versions: { node: '1' } } } };
  const fields = compared(sampleRun(), { ...sampleRun(), host: half }).differences.map(({ field }) => field);
  assert.deepEqual(fields, ['logical cores', 'version of node', 'version of onnx-cpu']);
});

test('columns have telling, different names, whatever the files are called', () => {
  const run = sampleRun({ variants: ['dense.fused'], lengths: [64] });
  const names = (...sources: string[]) => compareRuns(sources.map((source) => ({ source, run }))).columns.map(({ name }) => name);
  assert.deepEqual(names('x/a.json', './y/b.json'), ['a.json', 'b.json']);
  assert.deepEqual(names('x/a.json', 'y/a.json', 'b.json'), ['x/a.json', 'y/a.json', 'b.json']);
  assert.deepEqual(names('a.json', 'a.json', 'a.json (2)'), ['a.json', 'a.json (3)', 'a.json (2)']);
  const long = names(`${'p'.repeat(5000)}1${'q'.repeat(5000)}.json`, `${'p'.repeat(5000)}2${'q'.repeat(5000)}.json`);
  assert.equal(new Set(long).size, 2);
  assert.ok(long.every(({ length }) => length < 50));
});

test('one record alone is a mistake of use', () => {
  assert.throws(() => compared(sampleRun()), { code: 'USAGE' });
});

test('a record without cells is refused, and one with a cell twice counts the first', () => {
  const base = timed([100]);
  const empty = compared(base, { ...base, cells: [], complete: false });
  assert.match(refusedSentence(empty.refused[0]!), /b\.json holds no cells/);
  const twice = compared(base, { ...base, cells: [withMedian(base.cells[0]!, 200), withMedian(base.cells[0]!, 900)] });
  close(twice.columns[1]!.meanRatio!.value, 2);
  assert.ok(comparisonReport(twice).alerts.some((alert) => alert.includes('already has')));
});

test('hostile names reach no rendering whole, and break no line', () => {
  const hostile = `<script>alert(1)</script>\n::error::x\u202e=cmd()${'y'.repeat(10_000)}`;
  const worse = changed(sampleRun({ lengths: [64] }), (cell) => ({
    ...cell,
    variant: { name: hostile, params: { [hostile]: hostile } },
    kernel: hostile,
    backend: hostile,
    inputs: hostile,
  }));
  const bad = {
    ...worse,
    suite: { ...worse.suite, name: hostile },
    tool: { ...worse.tool, version: hostile },
    warnings: [hostile],
    host: hostile,
  };
  const comparison = compareRuns([
    { source: hostile, run: bad },
    { source: `${hostile}/z`, run: changed(bad, (cell, index) => ({ ...cell, status: index === 0 ? 'failed' : 'ok', reason: hostile })) },
    { source: 'c.json', run: sampleRun() },
  ]);
  assert.equal(comparisonReport(comparison).verdict, 'No verdict: the runs were not measured side by side');
  const shown = JSON.stringify({ ...comparisonReport(comparison), sections: comparisonReport(comparison).sections.slice(0, -2) });
  assert.ok(!shown.includes('\u202e') && !shown.includes('y'.repeat(400)) && !/[^\\]\\n/.test(shown));
  const text = comparisonText(comparison);
  // A defused `::` is five characters longer.
  assert.ok(text.split('\n').every((line) => line.replace('\\u003a', ':').length <= 100 && !line.trimStart().startsWith('::')));
  assert.ok(!text.includes('\u202e'));
});

test('a cell of CSV that a spreadsheet would run is quoted', () => {
  const run = changed(sampleRun({ variants: ['dense.fused'], lengths: [64] }), (cell) => ({ ...cell, inputs: '=cmd()' }));
  const csv = comparedRunsCsv(compared(run, run));
  assert.ok(csv.includes("'=cmd()") && !csv.includes(',=cmd()'));
  assert.equal(csv.trim().split('\n').length, 3);
});

test('the report answers first, tells what differs first of its sections, and its drawings hold at most 40 rows and four columns', () => {
  const lengths = Array.from({ length: 25 }, (_, index) => 64 * (index + 1));
  const options = { variants: ['dense.fused', 'window.tiled'], lengths, samples: 10 };
  const [base, ...others] = [1, 2, 3, 4, 5, 6].map((seed) => sampleRun({ ...options, seed, speed: seed }));
  const report = comparisonReport(compared(base!, ...others));
  assert.match(
    report.answer,
    /^b\.json takes 0\.\d+× the time of a\.json in the geometric mean over 50 shared cells .* 2 more columns are shown below\.$/,
  );
  assert.equal(report.sections[0]!.id, 'differences');
  assert.equal(charts(report).length, 4);
  for (const { table, summary, spec } of charts(report)) {
    assert.equal(table.rows.length, 40);
    assert.match(summary, /40 of 50 cells/);
    assert.equal(new Set(table.rows.map(([name]) => name!.text)).size, 40);
    assert.ok(JSON.stringify(spec).includes('"log"'));
  }
  assert.equal(new Set(charts(report).map(({ id }) => id)).size, 4);
});
