import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outcomes } from '../contract/verdict.ts';
import { sampleComparison, sampleVerdict } from './fixtures/sample-verdict.ts';
import { failsByItself, levelOf, worstFirst } from './standing.ts';

test('what is worst comes first, whatever the order given; then deciding ones, then by name', () => {
  const given = [
    ...outcomes.map((outcome) => sampleComparison({ outcome, name: outcome })),
    sampleComparison({ outcome: 'regression', name: 'b', decides: false }),
    sampleComparison({ outcome: 'regression', name: 'a', decides: false }),
  ];
  const names = worstFirst(given).map(({ name }) => name);
  assert.deepEqual(names.slice(0, 4), ['regression', 'a', 'b', 'error']);
  assert.deepEqual(names.slice(-3), ['inconclusive', 'pass', 'improvement']);
  assert.deepEqual(worstFirst(given.toReversed()), worstFirst(given));
});

test('only what fails the verdict is an error or a warning', () => {
  const level = (changes: Parameters<typeof sampleComparison>[0]) => levelOf(sampleComparison(changes));
  assert.equal(level({ outcome: 'regression' }), 'error');
  assert.equal(level({ outcome: 'regression', decides: false }), 'note');
  assert.equal(level({ outcome: 'inconclusive' }), 'warning');
  assert.equal(level({ outcome: 'inconclusive', onInconclusive: 'pass' }), 'note');
  assert.equal(level({ outcome: 'incomplete', onInconclusive: 'pass' }), 'error');
  assert.equal(level({ outcome: 'improvement' }), 'none');
});

test('a verdict that fails without a failing comparison fails by itself', () => {
  const shown = sampleComparison({ outcome: 'regression', decides: false });
  assert.ok(failsByItself(sampleVerdict([], { exitCode: 5 })));
  assert.ok(failsByItself(sampleVerdict([shown], { exitCode: 5 })));
  assert.ok(!failsByItself(sampleVerdict([shown])));
  assert.ok(!failsByItself(sampleVerdict([sampleComparison({ outcome: 'refused' })], { exitCode: 2 })));
});
