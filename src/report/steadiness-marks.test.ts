import assert from 'node:assert/strict';
import { test } from 'node:test';
import { benchTable } from '../cli/bench-table.ts';
import { comparisonText } from '../cli/compare-text.ts';
import { runSchema } from '../contract/run.ts';
import { compareRuns } from './compare-runs.ts';
import { comparedRunsCsv } from './compared-runs-csv.ts';
import { sampleRun } from './fixtures/sample-run.ts';
import { runCsv } from './run-csv.ts';
import { runReport } from './run-report.ts';
import { reportMarkdown } from './report-markdown.ts';

/** A run whose only cell was found steady, unsteady or neither. */
function runWith(steady: boolean | null) {
  const run = sampleRun({ variants: ['dense.fused'], lengths: [512] });
  const [cell] = run.cells;
  const latency = { ...cell!.latency!, warmup: { ...cell!.latency!.warmup, steady } };
  return runSchema.parse({ ...run, cells: [{ ...cell!, latency }] });
}

/** Every text that speaks of a run's steadiness. */
function textsOf(steady: boolean | null) {
  const run = runWith(steady);
  const compared = compareRuns([
    { source: 'a.json', run },
    { source: 'b.json', run: runWith(true) },
  ]);
  return {
    texts: [benchTable(run), comparisonText(compared), reportMarkdown(runReport(run))],
    csv: [runCsv(run), comparedRunsCsv(compared)],
  };
}

test('too few samples to tell is not said to be unsteady, nor the other way around', () => {
  const [unsteady, tooFew] = [/did not (become|reach a) steady/, /too few samples to tell whether/];
  for (const text of textsOf(false).texts) {
    assert.match(text, unsteady);
    assert.doesNotMatch(text, tooFew);
  }
  for (const text of textsOf(null).texts) {
    assert.match(text, tooFew);
    assert.doesNotMatch(text, unsteady);
  }
  for (const text of textsOf(true).texts) {
    assert.doesNotMatch(text, unsteady);
    assert.doesNotMatch(text, tooFew);
  }
});

test('steadiness that is unknown is an empty field', () => {
  for (const [steady, value] of [
    [true, 'true'],
    [false, 'false'],
    [null, ''],
  ] as const) {
    for (const text of textsOf(steady).csv) {
      const [heading, row] = text.split('\n');
      assert.equal(row!.split(',')[heading!.split(',').indexOf('steady')], value);
    }
  }
});
