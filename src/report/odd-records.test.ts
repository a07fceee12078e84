import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CellRecord } from '../contract/cell.ts';
import type { RunRecord } from '../contract/run.ts';
import { sampleComparison, sampleVerdict } from '../verdict/fixtures/sample-verdict.ts';
import { sampleClaims } from '../claims/fixtures/sample-claims.ts';
import { auditReport } from './audit-report.ts';
import { claimsReport } from './claims-report.ts';
import type { Report } from './document.ts';
import { sampleAudit } from './fixtures/sample-audit.ts';
import { sampleMigration } from './fixtures/sample-migration.ts';
import { sampleCell, sampleRun } from './fixtures/sample-run.ts';
import { sampleTuning } from './fixtures/sample-tuning.ts';
import { reportPage } from './html/page.ts';
import { migrationReport } from './migration-report.ts';
import { reportMarkdown } from './report-markdown.ts';
import { runReport } from './run-report.ts';
import { tuningReport } from './tuning-report.ts';
import { verdictReport } from './verdict-report.ts';

const whole = sampleRun({ variants: ['dense.fused', 'window.tiled'], lengths: [512, 1024] });
const withCells = (change: (cell: RunRecord['cells'][number], index: number) => object): RunRecord => ({
  ...whole,
  cells: whole.cells.map((cell, index) => ({ ...cell, ...change(cell, index) })),
});
const chartsOf = ({ sections }: Report) => sections.flatMap(({ parts }) => parts.filter((part) => part.kind === 'chart'));
const tableOf = ({ sections }: Report, id: string) =>
  sections.find((section) => section.id === id)!.parts.find((part) => part.kind === 'table')!;
const migration = (changes: Parameters<typeof sampleMigration>[0]) =>
  migrationReport({ record: sampleMigration(changes), steps: { one: 1 }, ended: true }, 'runs/m');

test('a name with a replacement pattern stays within its attribute', async () => {
  const page = await reportPage(runReport(withCells(() => ({ inputs: "$' onload=alert(1) x$&" }))));
  assert.ok(!page.includes('<svg role="img" aria-label="' + '<svg') && !/aria-label="[^"]*<svg/.test(page));
  assert.ok(!/<svg[^>]* onload=/.test(page.replaceAll(/"[^"]*"/g, '""')));
});

test('figures of nothing are left off, whatever a record holds', async () => {
  const zero = { medianNs: 0, p99Ns: 0, minNs: 0, madNs: 0, ciNs: { low: 0, high: 0, coverage: 0.95 }, samplesNs: [0] };
  const records: Report[] = [
    runReport(withCells(({ latency }) => ({ latency: { ...latency, ...zero } }))),
    runReport(withCells(({ memory }) => ({ memory: { ...memory, peakHostBytes: 0 } }))),
    runReport(withCells(({ work }) => ({ work: { ...work, densePairs: 0, scoredPairs: 0, flops: 0, bytes: 0 } }))),
    runReport(withCells(() => ({ waste: { nonsense: true }, dispatch: undefined, error: undefined }))),
    runReport(withCells(({ waste }) => ({ waste: { ...(waste as object), heads: [] } }))),
    runReport(withCells(() => ({ backend: 'constructor' }))),
    auditReport(sampleAudit({ knob: null, points: sampleAudit().points.map((point) => ({ ...point, knob: null })) })),
    auditReport(
      sampleAudit({ points: sampleAudit().points.map((point) => ({ ...point, rounds: [{ latencyNs: 1, cpuNs: null, peakBytes: 0 }] })) }),
    ),
    claimsReport(sampleClaims()),
    claimsReport(sampleClaims([])),
    migration({ baseline: { lengths: [], scores: [] }, candidates: [], tuned: null, final: null, standings: [], front: [], verdict: null }),
    migration({
      baseline: {
        lengths: sampleMigration().baseline.lengths.map((at) => ({ ...at, medianNs: 0, lowNs: 0, peakHostBytes: 0 })),
        scores: [],
      },
    }),
  ];
  for (const report of records) {
    const texts = reportMarkdown(report) + (await reportPage(report)).replace(/<script>[\s\S]*<\/script>/, '');
    assert.doesNotMatch(texts, /NaN|Infinity|undefined/);
  }
});

test('where the greatest length failed, the answer is of the greatest that was timed', () => {
  const report = runReport(withCells(({ shape }) => (shape.queries === 1024 ? { status: 'timed-out', reason: 'no answer' } : {})));
  assert.match(report.verdict, /^At 512 tokens, dense\.fused is the fastest of 2 kernels$/);
  assert.equal(report.standing, 'bad');
});

test('no speed-up is taken from a cell that is not ok, or to one', () => {
  const table = tableOf(
    runReport(withCells((_, index) => (index === 0 ? { status: 'failed', reason: 'peak memory: killed' } : {}))),
    'cells',
  );
  const at = table.columns.findIndex(({ title }) => title === 'speed-up');
  assert.deepEqual(
    table.rows.map((row) => row[at]!.text === '–'),
    [true, true, false, false],
  );
});

test('cells of two settings, of several numbers of keys or of two seeds are told apart', () => {
  const other = sampleRun({ variants: ['dense.fused'], lengths: [512], backend: 'onnx-webgpu' }).cells;
  const mixed = runReport({ ...whole, cells: [...whole.cells, ...other] });
  const panels = chartsOf(mixed)
    .find(({ id }) => id === 'samples-spread')!
    .table.rows.map(([cell]) => cell!.text);
  assert.equal(new Set(panels).size, panels.length);
  const decode = [512, 1024].map((keys) => {
    const cell = sampleCell('dense.fused', keys);
    return { ...cell, shape: { ...cell.shape, queries: 1 } };
  });
  const report = runReport({ ...whole, cells: decode });
  assert.match(report.verdict, /^At 1024 tokens dense\.fused takes [\d.]+ [mµ]s$/);
  assert.match(chartsOf(report)[0]!.title, /1 queries/);
  const seeds = runReport({ ...whole, cells: [1, 2].map((seed) => ({ ...whole.cells[0]!, seed, id: String(seed) })) });
  assert.match(chartsOf(seeds)[0]!.title, /seed 1/);
});

test('a type that the ceilings are not of is held against none', () => {
  const ceilings = { 'onnx-cpu': [{ kind: 'flops' as const, perSecond: 2e10, what: 'MatMul' }] };
  const half = runReport({ ...withCells(({ shape }) => ({ shape: { ...shape, dtype: 'f16' as const } })), ceilings });
  assert.doesNotMatch(chartsOf(half).find(({ id }) => id === 'rates-1')!.summary, /ceiling/);
  assert.match(chartsOf(runReport({ ...whole, ceilings })).find(({ id }) => id === 'rates-1')!.summary, /% of the ceiling/);
});

test('the share of the ideal is the speed-up over the share of the work that is needed, and is left out where that is not known', () => {
  const timed = (text: string, medianNs: number) => {
    const cell = sampleCell(text, 512);
    return { ...cell, latency: { ...cell.latency!, medianNs } };
  };
  const cells = [timed('dense.fused', 8e6), timed('window.tiled:w=1', 2e6)];
  const shares = (given: readonly CellRecord[]) => {
    const { columns, rows } = chartsOf(runReport({ ...whole, cells: [...given] })).find(({ id }) => id === 'rates-1')!.table;
    return rows.map((row) => row[columns.findIndex(({ title }) => title === 'of the ideal')]!.text);
  };
  // One pair a query instead of (512 + 1) / 2 on average, and a quarter of the time.
  assert.deepEqual(shares(cells), ['100 %', `${((100 * 4) / 256.5).toPrecision(2)} %`]);
  assert.deepEqual(shares([cells[0]!, { ...cells[1]!, variant: { name: 'gone', params: {} } }]), ['100 %', '–']);
});

test('what tuning found decides where it is the best; a loss without measure has no place on the front', () => {
  const record = sampleMigration();
  const tuned = {
    ...record.candidates![0]!,
    name: '0=tuned',
    decision: { ...record.candidates![0]!.decision, candidate: '0=tuned', verdict: 'tune-first' as const },
  };
  const rejected = record.candidates!.map((each) => ({ ...each, decision: { ...each.decision, verdict: 'reject' as const } }));
  const report = migration({ candidates: rejected, tuned: { ...record.tuned!, result: tuned }, final: null, verdict: 'tune-first' });
  assert.equal(report.verdict, 'Tune 0=tuned first');
  const untimed = migration({ tuned: { ...record.tuned!, untimed: [0] } });
  assert.match(JSON.stringify(untimed), /Site 0 keeps its own attention in phase 3: it cannot be timed alone there/);
  const lost = migration({ standings: [{ name: 'dense.fused', loss: null, latency: 0.9, memory: 0.6 }], front: [] });
  const front = chartsOf(lost).find(({ id }) => id === 'front')!;
  assert.ok(!JSON.stringify(front.spec).includes('0 margins'));
  assert.match(front.summary, /the quality loss cannot be measured: dense\.fused/);
});

test('what fewer items mean is told where a candidate was judged on them; an endless interval is in the table alone', () => {
  const record = sampleMigration({});
  const last = record.candidates!.at(-1)!;
  const judgedOn = (more: object) => {
    const quality = { ...last.quality!, task: { ...last.quality!.task!, ...more } };
    return migration({ candidates: [...record.candidates!.slice(0, -1), { ...last, quality }] });
  };
  const told = (report: Report) => JSON.stringify(report.sections.find(({ id }) => id === 'methods')).includes('14 of 156 items');
  assert.ok(!told(judgedOn({})) && !told(judgedOn({ of: 4 })));
  assert.ok(told(judgedOn({ of: 156 })));
  const endless = judgedOn({ twoSided: { low: null, high: null } });
  assert.equal(
    chartsOf(endless).find(({ id }) => id === 'quality-differences'),
    undefined,
  );
  assert.equal(tableOf(endless, 'quality').rows.length, record.candidates!.length);
});

test('latency and memory of long names have panels of their own', () => {
  const name = '0=window.tiled:w=128 1=topk.tiled:k=32 2=dense.fused 3=gated.tiled:w=64';
  const report = verdictReport(
    sampleVerdict([sampleComparison({ name }), sampleComparison({ name, metric: 'peak-memory', unit: 'bytes' })]),
  );
  const blocks = chartsOf(report).find(({ id }) => id === 'blocks-in-order')!;
  assert.equal(new Set(blocks.table.rows.map(([panel]) => panel!.text)).size, 2);
});

test('a line of very many rounds is drawn, and not all of it', async () => {
  const block = {
    logRatio: 0.01,
    roundLogRatios: Array.from({ length: 200_000 }, (_, index) => index / 1e6),
    base: 1,
    new: 1,
    elapsedNs: 1,
  };
  const page = await reportPage(verdictReport(sampleVerdict([sampleComparison({ blocks: [block, block] })])));
  assert.ok(page.length < 1e6, `${page.length}`);
});

test('what disturbed the machine is told at the top of every kind of report', () => {
  const warnings = ['load average 2.28 over the last minute on 2 processors', 'b', 'c', 'd'];
  const said = 'The machine was not quiet: load average 2.28 over the last minute on 2 processors; b; c; and 1 more, listed under Machine.';
  const reports = [
    runReport({ ...whole, warnings }),
    verdictReport(sampleVerdict([sampleComparison()], { warnings })),
    migration({ warnings }),
    tuningReport({ ...sampleTuning(), warnings }),
  ];
  for (const { kind, alerts } of reports) assert.ok(alerts.includes(said), kind);
});

test('a tile shows the worst comparison of its metric; what was not compared says so', () => {
  const bad = sampleComparison({ name: 'b', outcome: 'regression', effect: { estimate: 0.2, low: 0.1, high: 0.3, confidence: 0.965 } });
  const [latency, memory, quality] = verdictReport(sampleVerdict([sampleComparison({ name: 'a' }), bad])).tiles;
  assert.deepEqual([latency!.figures, latency!.change, latency!.standing], ['12.3 → 14.8 ms', '+20.0 % [10.0, 30.0]', 'bad']);
  assert.match(latency!.of, /^b, the worst of 2$/);
  assert.deepEqual(latency!.bar, { low: 0.1, estimate: 0.2, high: 0.3, margin: 0.05, marginText: '+5 %' });
  assert.deepEqual([memory!.figures, quality!.figures], ['not compared', 'not compared']);
});

test('a migration that kept the original says so, and its quality tile has the score beside its margin', () => {
  const record = sampleMigration();
  const [, second] = record.candidates!;
  const rejected = { ...second!, decision: { ...second!.decision, verdict: 'reject' as const } };
  const report = migration({ candidates: [rejected], tuned: null, final: null, verdict: 'reject' });
  assert.equal(report.verdict, 'Keep the model as it is: do not adopt window.tiled:w=128');
  const quality = report.tiles[2]!;
  assert.deepEqual([quality.figures, quality.change], ['0.925 → 0.92', '−0.005 [−0.02, +0.01]']);
  assert.equal(quality.bar!.margin!.toPrecision(3), '-0.0185');
});
