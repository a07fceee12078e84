import assert from 'node:assert/strict';
import { test } from 'node:test';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { outcomes } from '../contract/verdict.ts';
import type { Comparison, Verdict } from '../contract/verdict.ts';
import { sampleComparison, sampleVerdict, untrustedTexts, untrustedVerdict } from './fixtures/sample-verdict.ts';
import { verdictJunit } from './junit.ts';
import { visible } from '../text/untrusted.ts';

type Case = Record<string, unknown> & { '@name': string };

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  parseAttributeValue: false,
  parseTagValue: false,
  trimValues: false,
  htmlEntities: true,
  isArray: (name) => name === 'testcase',
});

function parsed(verdict: Verdict): { suite: Record<string, string>; cases: Case[] } {
  const xml = verdictJunit(verdict);
  assert.equal(XMLValidator.validate(xml), true);
  const { testsuite } = (parser.parse(xml) as { testsuites: { testsuite: Record<string, string> & { testcase?: Case[] } } }).testsuites;
  return { suite: testsuite, cases: testsuite.testcase ?? [] };
}

function expected({ outcome, decides, onInconclusive }: Comparison): string {
  if (!decides) return 'skipped';
  if (outcome === 'pass' || outcome === 'improvement') return 'system-out';
  if (outcome === 'inconclusive') return onInconclusive === 'pass' ? 'system-out' : 'failure';
  return outcome === 'regression' ? 'failure' : 'error';
}

test('every outcome is a passing, failed, broken or skipped case, and the totals agree', () => {
  for (const outcome of outcomes) {
    for (const decides of [true, false]) {
      for (const onInconclusive of ['fail', 'pass'] as const) {
        const comparison = sampleComparison({ outcome, decides, onInconclusive, reason: 'since it is so' });
        const { suite, cases } = parsed(sampleVerdict([comparison]));
        assert.equal(cases.length, 1);
        const kind = expected(comparison);
        assert.deepEqual(
          ['failure', 'error', 'skipped'].filter((tag) => tag in cases[0]!),
          kind === 'system-out' ? [] : [kind],
        );
        assert.match(JSON.stringify(cases[0]), /since it is so/);
        assert.equal(suite['@tests'], '1');
        assert.equal(suite['@failures'], kind === 'failure' ? '1' : '0');
        assert.equal(suite['@errors'], kind === 'error' ? '1' : '0');
        assert.equal(suite['@skipped'], kind === 'skipped' ? '1' : '0');
        assert.equal(suite['@time'], '15.000');
      }
    }
  }
});

test('a verdict that fails without a failing comparison is a broken case', () => {
  const { suite, cases } = parsed(sampleVerdict([], { outcome: 'error', exitCode: 5, summary: 'Nothing was compared.' }));
  assert.equal(suite['@errors'], '1');
  assert.match(JSON.stringify(cases), /Nothing was compared/);
});

test('untrusted text is read back as it was, but for characters that XML cannot hold', () => {
  for (const [name, text] of Object.entries(untrustedTexts)) {
    const { cases } = parsed(untrustedVerdict(text));
    const shown = visible(text.replaceAll(/\r\n?/g, '\n'), '\n\t');
    assert.deepEqual(
      cases.map((each) => each['@name']),
      [`${shown} 1`, `${shown} 2`, `${shown} 3`],
      name,
    );
    const { '@message': message, '#text': details } = cases[0]!['failure'] as Record<string, string>;
    assert.equal(message, `latency: regression: ${shown}`, name);
    assert.ok(details!.includes(`\n${shown}\n`), name);
    assert.doesNotMatch(verdictJunit(untrustedVerdict(text)), /[^\P{C}\n\t]/u, name);
    assert.equal(verdictJunit(untrustedVerdict(text)), verdictJunit(untrustedVerdict(text)));
  }
});
