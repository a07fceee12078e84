import assert from 'node:assert/strict';
import { test } from 'node:test';
import { comparisonStep, courseOf, finalName } from './course.ts';

const settings = { lengths: [128, 512], compareAt: 512 };
const candidates = ['dense.fused', 'window.tiled:w=128'];

/** Steps as a whole migration takes them. */
const steps = [
  ...settings.lengths.flatMap((length) => ['latency', 'memory', 'waste'].map((kind) => `baseline/${kind}/${length}`)),
  'baseline/scores',
  ...candidates.flatMap((name) => [`candidate/${name}/quality`, `latency/${name}/512`, `peak-memory/${name}/512`]),
  'tune/saving',
  'tune/search',
  ...settings.lengths.flatMap((length) =>
    (['latency', 'peak-memory'] as const).map((metric) =>
      comparisonStep(metric, finalName('window.tiled:w=128'), { length, use: 'prefill' }),
    ),
  ),
];

test('every step of a migration lies farther on its way, and the last ends it', () => {
  const at = courseOf(settings, candidates, 'tune');
  const positions = steps.map((step) => at(step));
  assert.deepEqual(
    positions.map(({ done }) => done),
    steps.map((_, index) => index),
  );
  assert.ok(positions.every(({ total }) => total === steps.length));
  positions.forEach(({ share }, index) => assert.ok(index === 0 ? share === 0 : share > positions[index - 1]!.share, steps[index]));
  assert.equal(at(steps.at(-1)!, 1).share, 1);
  assert.deepEqual([...new Set(positions.map(({ phase }) => phase))], ['phase 1 of 3', 'phase 2 of 3', 'phase 3 of 3', 'final comparison']);
});

test('a decoder that generates has the steps of both uses', () => {
  const at = courseOf({ ...settings, decodes: true, generate: 16 }, candidates, 'swap');
  const decoded = ['baseline/latency/decode/512', 'baseline/scores', 'candidate/dense.fused/decode', 'candidate/dense.fused/generation'];
  const places = [...decoded, comparisonStep('latency', 'dense.fused', { length: 512, use: 'decode' })].map((step) => at(step).done);
  assert.deepEqual(
    places,
    places.toSorted((a, b) => a - b),
  );
  assert.equal(new Set(places).size, places.length);
});

test('what nobody knows in advance lies where the last known step did', () => {
  const at = courseOf(settings, candidates, 'tune');
  const { done, share } = at('tune/search');
  assert.deepEqual([at('latency/0=dense.fused/512', 0.5).done, at('latency/0=dense.fused/512', 0.5).share], [done, share]);
});

test('a migration that ends early has fewer steps', () => {
  assert.equal(courseOf(settings, candidates, 'baseline')('baseline/scores', 1).share, 1);
  assert.equal(courseOf(settings, candidates, 'swap')('peak-memory/window.tiled:w=128/512', 1).share, 1);
});
