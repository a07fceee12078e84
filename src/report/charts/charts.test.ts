import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { compile } from 'vega-lite';
import type { TopLevelSpec } from 'vega-lite';
import { sampleComparison, sampleVerdict } from '../../verdict/fixtures/sample-verdict.ts';
import { auditReport } from '../audit-report.ts';
import type { Chart, Report } from '../document.ts';
import { drawSvg } from '../draw.ts';
import { sampleAudit } from '../fixtures/sample-audit.ts';
import { sampleMigration } from '../fixtures/sample-migration.ts';
import { sampleRun } from '../fixtures/sample-run.ts';
import { sampleTuning } from '../fixtures/sample-tuning.ts';
import { migrationReport } from '../migration-report.ts';
import { chartPng } from '../picture.ts';
import { runReport } from '../run-report.ts';
import { colourOf, withPageColours } from '../theme.ts';
import { tuningReport } from '../tuning-report.ts';
import { verdictReport } from '../verdict-report.ts';

const ceilings = {
  'onnx-cpu': [
    { kind: 'flops' as const, perSecond: 9e10, what: 'MatMul' },
    { kind: 'bytes' as const, perSecond: 2e10, what: 'ReduceMax' },
  ],
};
const reports: Report[] = [
  runReport({ ...sampleRun(), ceilings }),
  runReport(sampleRun({ lengths: [512] })),
  verdictReport(sampleVerdict([sampleComparison()])),
  migrationReport({ record: sampleMigration(), steps: { one: 1 }, ended: true }, 'runs/m'),
  tuningReport(sampleTuning()),
  auditReport(sampleAudit()),
];
const charts: Chart[] = reports.flatMap(({ sections }) => sections.flatMap(({ parts }) => parts.filter((part) => part.kind === 'chart')));

describe('every chart', () => {
  for (const chart of charts) {
    test(`${chart.id}: is whole and usable alone, without a warning of Vega-Lite’s`, async () => {
      const said: string[] = [];
      const tell = (...texts: readonly unknown[]) => {
        said.push(texts.join(' '));
        return logger;
      };
      const logger = { level: () => logger, error: tell, warn: tell, info: () => logger, debug: () => logger };
      // As somebody else would use it: through JSON, with nothing beside it.
      compile(JSON.parse(JSON.stringify(chart.spec)) as TopLevelSpec, { logger: logger as never });
      assert.deepEqual(said, []);
      assert.ok(!/"url"/.test(JSON.stringify(chart.spec)));
      const svg = await drawSvg(chart.spec, chart.id);
      assert.match(svg, /^<svg /);
      assert.ok(!/NaN|Infinity|undefined/.test(svg), 'a mark has no place');
      assert.ok(!/ style="/.test(svg), 'the page’s policy lets no style attribute through');
    });

    test(`${chart.id}: says in words what it shows, and has its figures beside it`, () => {
      assert.ok(chart.summary.length > 20 && !/undefined|NaN/.test(chart.summary), chart.summary);
      assert.ok(chart.table.rows.length > 0);
      for (const row of chart.table.rows) assert.equal(row.length, chart.table.columns.length);
    });
  }
});

test('a picture is a PNG of twice the drawing’s size', async () => {
  const chart = charts[0]!;
  const png = Buffer.from(await chartPng(chart));
  const [, width] = /width="(\d+)"/.exec(await drawSvg(chart.spec, chart.id))!;
  assert.equal(png.subarray(1, 4).toString(), 'PNG');
  assert.equal(png.readUInt32BE(16), 2 * Number(width));
});

test('a chart can load nothing, whatever its specification says', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'attnswap-chart-')), 'secret.json');
  writeFileSync(path, '[{ "a": "secret" }]');
  const { href } = pathToFileURL(path);
  const encoding = { text: { field: 'a', type: 'nominal' } };
  for (const url of [path, href]) {
    const spec = { $schema: 'https://vega.github.io/schema/vega-lite/v6.json', data: { url }, mark: 'text', encoding };
    assert.ok(!(await drawSvg(spec, 'loading')).includes('secret<'));
  }
  const within = {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    data: { values: [{ a: 'secret' }] },
    mark: 'text',
    encoding,
  };
  assert.ok((await drawSvg(within, 'within')).includes('secret<'));
});

test('a variant has one colour everywhere, and the page decides what it looks like', async () => {
  assert.notEqual(colourOf('window'), colourOf('dense'));
  assert.equal(colourOf('never heard of'), colourOf('nor of this'));
  const svg = withPageColours(await drawSvg(charts[0]!.spec, charts[0]!.id));
  assert.ok(svg.includes('var(--series-window)') && svg.includes('var(--ink)'));
  assert.ok(!/(fill|stroke)="#/.test(svg), 'a colour that the page cannot change');
});
