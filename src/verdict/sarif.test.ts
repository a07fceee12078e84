import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import AjvDraft04 from 'ajv-draft-04';
import addFormats from 'ajv-formats';
import { metrics, outcomes } from '../contract/verdict.ts';
import type { Verdict } from '../contract/verdict.ts';
import { sampleComparison, sampleVerdict, untrustedTexts, untrustedVerdict } from './fixtures/sample-verdict.ts';
import { verdictSarif } from './sarif.ts';

interface Log {
  readonly runs: ReadonlyArray<{
    readonly automationDetails: { readonly id: string };
    readonly tool: { readonly driver: { readonly rules: ReadonlyArray<{ readonly id: string }> } };
    readonly results: ReadonlyArray<{
      readonly ruleId: string;
      readonly ruleIndex: number;
      readonly level: string;
      readonly message: { readonly text: string };
      readonly partialFingerprints: Record<string, string>;
      readonly locations: ReadonlyArray<{
        readonly physicalLocation?: { readonly artifactLocation: { readonly uri: string } };
        readonly logicalLocations: ReadonlyArray<{ readonly fullyQualifiedName: string }>;
      }>;
    }>;
  }>;
}

const schemaPath = createRequire(import.meta.url).resolve('@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json');
// One of the schema's patterns is none for Unicode's stricter syntax.
const ajv = new AjvDraft04.default({ strict: false, allErrors: true, unicodeRegExp: false });
addFormats.default(ajv);
const validate = ajv.compile(JSON.parse(readFileSync(schemaPath, 'utf8')) as object);

function parsed(verdict: Verdict): Log['runs'][number] {
  const log = JSON.parse(verdictSarif(verdict)) as Log;
  assert.ok(validate(log), JSON.stringify(validate.errors));
  assert.equal(log.runs.length, 1);
  return log.runs[0]!;
}

test('the schema refuses a log that is none', () => {
  assert.ok(!validate({ version: '2.1.0', runs: [{ results: [] }] }));
});

test('every outcome and metric is valid; all but passes and improvements are results, as loud as they fail', () => {
  for (const outcome of outcomes) {
    for (const metric of metrics) {
      const { results, tool } = parsed(sampleVerdict([sampleComparison({ outcome, metric })]));
      assert.deepEqual(
        tool.driver.rules.map(({ id }) => id),
        [metric],
      );
      const level = outcome === 'inconclusive' || outcome === 'refused' ? 'warning' : 'error';
      assert.deepEqual(
        results.map((result) => [result.ruleId, result.ruleIndex, result.level]),
        outcome === 'pass' || outcome === 'improvement' ? [] : [[metric, 0, level]],
      );
    }
  }
  for (const changes of [{ decides: false }, { onInconclusive: 'pass' as const }])
    assert.equal(parsed(sampleVerdict([sampleComparison({ outcome: 'inconclusive', ...changes })])).results[0]!.level, 'note');
});

test('a result lies in its cell, and in the suite’s file where the command names one', () => {
  const comparisons = [sampleComparison({ outcome: 'regression' })];
  const [inFile] = parsed(sampleVerdict(comparisons)).results[0]!.locations;
  assert.equal(inFile!.physicalLocation?.artifactLocation.uri, 'bench/lengths.suite.ts');
  assert.equal(inFile!.logicalLocations[0]!.fullyQualifiedName, comparisons[0]!.cell);
  const [builtIn] = parsed(sampleVerdict(comparisons, { command: ['gate', 'lengths'] })).results[0]!.locations;
  assert.equal(builtIn!.physicalLocation, undefined);
  assert.equal(builtIn!.logicalLocations[0]!.fullyQualifiedName, comparisons[0]!.cell);
});

test('results of one file are told apart, and keep their fingerprints from verdict to verdict', () => {
  const pair = [sampleComparison({ outcome: 'regression', cell: 'a' }), sampleComparison({ outcome: 'regression', cell: 'b' })];
  const prints = (verdict: Verdict) =>
    parsed(verdict).results.map(({ partialFingerprints }) => partialFingerprints['primaryLocationLineHash']!);
  const first = prints(sampleVerdict(pair));
  assert.equal(new Set(first).size, 2);
  assert.deepEqual(prints(sampleVerdict(pair.map((each) => ({ ...each, reason: 'another' })))), first);
});

test('a verdict that fails without a failing comparison is a result', () => {
  const { results } = parsed(sampleVerdict([], { outcome: 'error', exitCode: 5, summary: 'Nothing was compared.' }));
  assert.deepEqual(
    results.map(({ ruleId, level, message }) => [ruleId, level, message.text]),
    [['verdict', 'error', 'Nothing was compared.']],
  );
});

test('untrusted text gives a valid log without links, placeholders or hidden characters', () => {
  for (const [name, text] of Object.entries(untrustedTexts)) {
    const { results, automationDetails } = parsed(untrustedVerdict(text));
    assert.equal(results.length, 2, name);
    assert.match(automationDetails.id, /^attnswap\/gate\/[\w.=:-]+\/$/, name);
    for (const { message } of results) {
      assert.doesNotMatch(message.text, /\]\(|(?<!\{)\{(\{\{)*\w+\}|[^\P{C}\n]/u, name);
      assert.ok(message.text.length < 10_000);
    }
    assert.equal(verdictSarif(untrustedVerdict(text)), verdictSarif(untrustedVerdict(text)));
  }
});
