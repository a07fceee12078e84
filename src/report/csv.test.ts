import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { sampleComparison, untrustedTexts } from '../verdict/fixtures/sample-verdict.ts';
import { compareRuns } from './compare-runs.ts';
import { comparedRunsCsv } from './compared-runs-csv.ts';
import { comparisonsCsv } from './comparisons-csv.ts';
import { sampleRun } from './fixtures/sample-run.ts';
import { sampleTuning } from './fixtures/sample-tuning.ts';
import { runCsv } from './run-csv.ts';
import { trialsCsv } from './trials-csv.ts';

const run = sampleRun({ lengths: [512] });
const documents: ReadonlyArray<[name: string, csv: string]> = [
  ['Runs', runCsv(run)],
  ['Verdicts', comparisonsCsv([sampleComparison()])],
  ['Tunings', trialsCsv(sampleTuning())],
  [
    'Comparisons',
    comparedRunsCsv(
      compareRuns([
        { source: 'a.json', run },
        { source: 'b.json', run },
      ]),
    ),
  ],
];
const documentation = readFileSync(new URL('../../docs/reports.md', import.meta.url), 'utf8').split('\n\n');

for (const [name, csv] of documents) {
  test(`${name}: every column is documented, in order`, () => {
    const paragraph = documentation.find((text) => text.startsWith(name))!;
    const columns = csv.split('\n')[0]!.split(',');
    const told = [...paragraph.matchAll(/`(\w+)`/g)].map((match) => match[1]!);
    assert.deepEqual(
      told.filter((column) => columns.includes(column)),
      columns,
    );
  });
}

test('texts of others are visible, on one line, and command nothing', () => {
  for (const text of Object.values(untrustedTexts)) {
    const lines = runCsv({ ...run, cells: [{ ...run.cells[0]!, kernel: text, backend: text, reason: text }] }).split('\n');
    assert.equal(lines.length, 3, 'header, cell, end');
    for (const line of lines) assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|##\[|^\s*::/u);
  }
});
