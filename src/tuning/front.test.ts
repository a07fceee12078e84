import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Outcome } from '../contract/verdict.ts';
import { frontOf } from './front.ts';

const scored = (candidate: string, ...means: readonly number[]) => ({ candidate, finalists: means.map((mean) => ({ test: { mean } })) });
const changed = (estimate: number, outcome: Outcome) => ({
  outcome,
  effect: { estimate, low: estimate - 0.02, high: estimate + 0.02, confidence: 0.965 },
});
const same = changed(0, 'pass');
const dense = scored('dense', 0.98, 1);

test('on the front is what is best in something, the best score first', () => {
  const front = frontOf(dense, [
    { ...scored('fewer pairs', 0.5, 0.52), latency: same, memory: same, weightedShare: 0.2 },
    { ...scored('worse in all', 0.4), latency: changed(0.5, 'regression'), memory: same, weightedShare: 0.3 },
    { ...scored('faster', 0.45), latency: changed(-0.3, 'improvement'), memory: same, weightedShare: 0.9 },
  ]);
  assert.deepEqual(front, ['dense', 'fewer pairs', 'faster']);
});

test('a change that is not shown puts nobody on the front, and one that was not measured neither', () => {
  const unsure = { ...scored('unsure', 0.9), weightedShare: 1 };
  const on = (latency: Parameters<typeof frontOf>[1][number]['latency']) => frontOf(dense, [{ ...unsure, latency, memory: same }]);
  assert.deepEqual(on(changed(-0.1, 'inconclusive')), ['dense']);
  assert.deepEqual(on(changed(-0.1, 'improvement')), ['dense', 'unsure']);
  assert.deepEqual(on({ outcome: 'inconclusive', effect: null }), ['dense']);
});
