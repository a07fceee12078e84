import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RunRecord } from '../../contract/run.ts';
import { sampleComparison, sampleVerdict, untrustedTexts } from '../../verdict/fixtures/sample-verdict.ts';
import { sampleRun } from '../fixtures/sample-run.ts';
import { bencherMetrics } from './bencher.ts';
import { runFigures, verdictFigures } from './figures.ts';
import { githubBenchmark } from './github-benchmark.ts';
import { openMetrics } from './open-metrics.ts';

const run = sampleRun({ lengths: [512] });
const cell = run.cells[0]!;
const paired = sampleComparison({ base: 1e6, new: 1.02e6, effect: { estimate: 0.05, low: 0.01, high: 0.09, confidence: 0.95 } });

/** A line of OpenMetrics 1.0 text, by its grammar. */
const label = String.raw`[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"`;
const line = new RegExp(
  String.raw`^(?:# TYPE [a-z_]+ (?:gauge|info)|# UNIT [a-z_]+ [a-z]+|# HELP [a-z_]+ .*|# EOF|[a-z_]+\{${label}(?:,${label})*\} -?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$`,
);

describe('OpenMetrics', () => {
  test('every line is of its grammar, families do not mix, and units are the names’ last words', () => {
    const text = openMetrics(runFigures(run));
    assert.ok(text.endsWith('\n# EOF\n'));
    const lines = text.trimEnd().split('\n');
    for (const each of lines) assert.match(each, line);
    const families = lines.map((each) => /^(?:# [A-Z]+ )?([a-z_]+)/.exec(each)?.[1]?.replace(/_info$/, '')).filter(Boolean);
    const starts = families.filter((name, index) => name !== families[index - 1]);
    assert.equal(new Set(starts).size, starts.length, 'a family is in one place');
    for (const [, name, unit] of text.matchAll(/^# UNIT (\S+) (\S+)$/gm)) assert.ok(name!.endsWith(`_${unit}`));
  });

  test('latency is in seconds, with the ends of its interval; a cell that is not ok has none', () => {
    const failed: RunRecord = { ...run, cells: run.cells.map((each, index) => (index === 1 ? { ...each, status: 'failed' } : each)) };
    const text = openMetrics(runFigures(failed));
    const of = (name: string) => [...text.matchAll(new RegExp(String.raw`^${name}\{(.*)\} (\S+)$`, 'gm'))];
    assert.equal(of('attnswap_latency_seconds').length, 2);
    assert.equal(Number(of('attnswap_latency_seconds')[0]![2]), cell.latency!.medianNs / 1e9);
    assert.equal(Number(of('attnswap_latency_low_seconds')[0]![2]), cell.latency!.ciNs.low / 1e9);
    assert.equal(Number(of('attnswap_peak_memory_bytes')[0]![2]), cell.memory!.peakHostBytes);
    assert.equal(Number(of('attnswap_record_started_timestamp_seconds')[0]![2]), Date.parse(run.startedAt) / 1000);
    assert.match(of('attnswap_latency_seconds')[0]![1]!, /variant="dense",kernel="fused",backend="onnx-cpu",keys="512"/);
  });

  for (const [name, text] of Object.entries(untrustedTexts)) {
    test(`a hostile name stays inside its label: ${name}`, () => {
      const spoilt = { ...run, suite: { ...run.suite, name: text }, cells: run.cells.map((each) => ({ ...each, backend: text })) };
      for (const each of openMetrics(runFigures(spoilt)).trimEnd().split('\n')) assert.match(each, line);
      const verdict = verdictFigures({ ...sampleVerdict([{ ...paired, cell: text, name: text }]), name: text });
      for (const written of [openMetrics, bencherMetrics, githubBenchmark].flatMap((form) => [form(runFigures(spoilt)), form(verdict)]))
        assert.doesNotMatch(written.replaceAll('\n', ''), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    });
  }
});

test('Bencher’s metric format: nanoseconds by benchmark and measure, with bounds', () => {
  const metrics = JSON.parse(bencherMetrics(runFigures(run)));
  assert.deepEqual(
    Object.keys(metrics),
    run.cells.map(({ id }) => id),
  );
  const { medianNs, ciNs } = cell.latency!;
  assert.deepEqual(metrics[cell.id].latency, { value: medianNs, lower_value: ciNs.low, upper_value: ciNs.high });
  assert.deepEqual(metrics[cell.id]['peak-memory'], { value: cell.memory!.peakHostBytes });
});

test('a comparison that was measured in pairs is exported as the base times its change, whatever the median of the new side', () => {
  const metrics = JSON.parse(bencherMetrics(verdictFigures(sampleVerdict([paired]))));
  const { value, lower_value: low, upper_value: high } = metrics[paired.cell].latency;
  assert.deepEqual([value, low, high].map(Math.round), [1_050_000, 1_010_000, 1_090_000]);
});

test('github-action-benchmark: smaller is better for every entry, with the half-width of the interval', () => {
  const quality = sampleComparison({ metric: 'quality', direction: 'higher', unit: 'share' });
  const entries = JSON.parse(githubBenchmark(verdictFigures(sampleVerdict([paired, quality]))));
  assert.equal(entries.length, 1);
  const { extra, ...entry } = entries[0];
  assert.deepEqual(entry, { name: `${paired.cell} latency`, unit: 'ns', value: 1_050_000, range: '± 40000' });
  assert.match(extra, /^lengths, attnswap 0\.1\.0, 2026-/);
});
