import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recoveredShare } from './recovered.ts';
import { convergenceOf, stepSaving, stepsToQuality } from './steps-to-quality.ts';

const near = (got: number, wanted: number) => assert.ok(Math.abs(got - wanted) < 1e-9, `${got}, expected ${wanted}`);

/** Epochs of ten steps with these validation scores. */
const epochsOf = (...scores: number[]) =>
  scores.map((validation) => ({ losses: Array.from({ length: 10 }, () => 1), validation, elapsedNs: 1 }));

test('half of what a swap lost is half, all of it 1, more than the baseline above 1', () => {
  const scores = { baseline: [-2, -2, -2], swapped: [-4, -4, -4], tuned: [-3, -2, -1] };
  const share = recoveredShare(scores, 0.04)!;
  near(share.mean, 1);
  near(share.standardDeviation, 0.5);
  assert.equal(share.count, 3);
});

test('a swap that lost no more than the margin leaves nothing to get back', () => {
  assert.equal(recoveredShare({ baseline: [1, 1], swapped: [0.5, 0.99], tuned: [1, 1] }, 0.02), null);
  assert.equal(recoveredShare({ baseline: [1], swapped: [Number.NaN], tuned: [1] }, 0.02), null);
});

test('steps to a score are linear between the ends of epochs, and those of the first epoch where it is reached there', () => {
  const epochs = epochsOf(0.2, 0.4, 0.8, 0.7);
  near(stepsToQuality(epochs, 0.1)!, 10);
  near(stepsToQuality(epochs, 0.4)!, 20);
  near(stepsToQuality(epochs, 0.5)!, 22.5);
  assert.equal(stepsToQuality(epochs, 0.9), undefined);
});

test('what is saved is measured at the score that both ended with, over seeds as a geometric mean', () => {
  // Both reach .8: after 20 and after 40 steps; .6 after 10 and after 10.
  const saving = stepSaving([epochsOf(0.4, 0.8), epochsOf(0.6, 0.9)], [epochsOf(0.1, 0.2, 0.3, 0.8), epochsOf(0.6)])!;
  assert.deepEqual(
    [saving.with, saving.without],
    [
      [20, 10],
      [40, 10],
    ],
  );
  near(saving.saved.estimate, 1 - Math.sqrt(0.5));
  assert.ok(saving.saved.low < 0 && saving.saved.high > 0.9, 'two seeds that far apart show nothing');
});

test('a training that diverged has no steps to compare', () => {
  const diverged = [...epochsOf(0.5), { ...epochsOf(-1e300)[0]!, diverged: true as const }];
  assert.equal(stepSaving([diverged], [epochsOf(0.5)]), null);
});

test('steps of an attention and of the baseline are counted to the worst score that any of their trainings ended with', () => {
  const trained = (...curves: number[][]) => curves.map((scores) => ({ epochs: epochsOf(...scores) }));
  const baseline = trained([-4, -3, -2], [-4, -2.5, -2.25]);
  // The second seed ends at −2.5: there after 30 and 20 steps; the first after 20 and 25.
  const from = (start: 'drawn' | 'baseline', ...curves: number[][]) =>
    convergenceOf(baseline, { search: { winner: { start } }, finalists: trained(...curves) });
  const found = from('drawn', [-3, -2.5, -2], [-4, -3, -2.5])!;
  assert.deepEqual([found.score, found.with, found.without], [-2.5, [20, 30], [25, 20]]);
  near(found.saved.estimate, 1 - Math.sqrt((20 / 25) * (30 / 20)));
  assert.equal(from('drawn', [-3, -2], [-3, -Infinity]), null);
  assert.equal(from('drawn', [-3, -2]), null);
  // The steps that the baseline took to the weights it began from would be missing.
  assert.equal(from('baseline', [-3, -2.5, -2], [-4, -3, -2.5]), null);
});
