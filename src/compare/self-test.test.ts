import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Comparison, Outcome } from '../contract/verdict.ts';
import { overall } from '../decide/overall.ts';
import { plainRule, stub } from '../decide/rule.ts';
import { seesSlowdowns, selfTested, selfTestSummary } from './self-test.ts';

const rule = plainRule('latency', 0.05);
const judged = (outcome: Outcome): Comparison => ({ ...stub({ cell: 'cell', name: 'kernel' }, rule), outcome, reason: 'because' });
const verdict = (outcomes: readonly Outcome[]) => {
  const comparisons = outcomes.map((outcome) => selfTested(judged(outcome), rule));
  return { comparisons, ...overall(comparisons) };
};

test('a self-test passes only where every injected slowdown is called a regression', () => {
  assert.equal(verdict(['regression', 'regression']).exitCode, 0);
  for (const blind of ['pass', 'improvement', 'inconclusive', 'refused'] as const) {
    const { exitCode, comparisons } = verdict(['regression', blind]);
    assert.equal(exitCode, 2, blind);
    assert.match(comparisons[1]!.reason, /an injected slowdown of 10 % was not seen .*larger margin/);
  }
  assert.equal(verdict(['regression', 'error']).exitCode, 5);
  assert.equal(verdict(['regression', 'incomplete']).exitCode, 3);
  assert.notEqual(verdict([]).exitCode, 0);
});

test('the sentence says what saw it, or which cells did not and what to do', () => {
  assert.match(selfTestSummary(verdict(['regression', 'regression'])), /can fail: .* all 2 comparisons/);
  const blind = selfTestSummary(verdict(['regression', 'pass']));
  assert.match(blind, /^1 of 2 comparisons cannot see a slowdown of twice their margin: kernel \(cell\): .*--max-blocks 80/);
  assert.match(selfTestSummary(verdict([])), /No gate compares times/);
});

test('where the host stayed busy, the reason is kept, without advice that does not help', () => {
  const { outcome, reason } = selfTested({ ...judged('inconclusive'), busy: true, reason: 'busy: other work' }, rule);
  assert.deepEqual([outcome, reason], ['inconclusive', 'an injected slowdown of 10 % was not seen: busy: other work']);
});

test('a gate that lets inconclusive results through is blind all the same', () => {
  const lenient = selfTested({ ...judged('inconclusive'), onInconclusive: 'pass' }, { ...rule, onInconclusive: 'pass' });
  assert.equal(overall([lenient]).exitCode, 2);
});

test('rules that a slowdown cannot break are left out: other metrics, limits on ratios, expired gates', () => {
  const sees = (changes: Partial<typeof rule>) => seesSlowdowns({ rule: { ...rule, ...changes } });
  assert.ok(sees({}) && sees({ limit: 1e6 }) && sees({ metric: 'ratio-to-reference' }));
  assert.ok(!sees({ metric: 'peak-memory' }) && !sees({ metric: 'ratio-to-reference', limit: 2 }) && !sees({ decides: false }));
  assert.ok(!sees({ direction: 'higher' }));
});
