import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededGenerator } from '../statistics/resample.ts';
import { itemDrift } from './drift.ts';
import type { ItemDrift } from './drift.ts';
import { summariseDrift } from './drift-summary.ts';
import { judgeDrift } from './judge-drift.ts';
import { estimatePaired, judgePaired } from './paired.ts';
import { watchDrift, watchExact, watchPaired } from './watch.ts';
import type { Watch } from './watch.ts';

const generator = seededGenerator(3, 'watch');
const uniform = () => ((generator.next() >>> 0) + 0.5) / 2 ** 32;
const limits = { allowed: 0.02, hopeless: 0.1 };

/** How many items are taken; all of them where nothing is shown before. */
function taken<Found>(watch: Watch<Found>, count: number, next: (at: number) => Found): number {
  for (let at = 0; at < count; at += 1) if (watch(next(at))) return at + 1;
  return count;
}

/** Scores against an original that is always right, until enough is shown: a share `lost` of them wrong. */
function compared(count: number, lost: number) {
  const watch = watchPaired(limits, 1);
  const scores = { base: [] as number[], new: [] as number[] };
  taken(watch, count, () => {
    scores.base.push(1);
    scores.new.push(uniform() < lost ? 0 : 1);
    return scores.new.at(-1)! - 1;
  });
  return scores;
}

test('looked at after every item, no more than 0.5 % of 10,000 comparisons at a loss of the margin end early with a wrong claim', () => {
  const [sequences, items] = [10_000, 300];
  let wrong = 0;
  for (let at = 0; at < sequences; at += 1) {
    const scores = compared(items, limits.allowed);
    if (scores.new.length === items) continue;
    const { outcome } = judgePaired(estimatePaired(scores, { seed: 1, of: items }), limits.allowed);
    if (outcome === 'pass') wrong += 1;
  }
  assert.ok(wrong <= 0.005 * sequences, `${wrong}`);
  assert.ok(wrong > 0, 'of so many some come close');
});

test('a clear case takes few items, and its interval is that of the sequence', () => {
  const lost = compared(1000, 0.6);
  const estimate = estimatePaired(lost, { seed: 1, of: 1000 });
  assert.ok(estimate.items < 40, `${estimate.items}`);
  assert.deepEqual([estimate.method, estimate.of], ['betting', 1000]);
  assert.ok(estimate.oneSided.high < -limits.hopeless, `${estimate.oneSided.high}`);
  assert.match(judgePaired(estimate, limits.allowed).reason, /over \d+ of 1000 items, always-valid 95 % bound −0\.\d+: worse by more/);
  const same = estimatePaired(compared(1000, 0), { seed: 1, of: 1000 });
  assert.equal(same.items, 296, 'ln(2/0.005)/−ln(0.98): half of the capital is at stake at once');
  assert.equal(judgePaired(same, limits.allowed).outcome, 'pass');
});

test('a loss worth tuning takes as many items as tell it from a hopeless one', () => {
  const watch = watchPaired(limits, 1);
  const items = taken(watch, 20_000, () => (uniform() < 0.06 ? -1 : 0));
  assert.ok(items > 100 && items < 5000, `${items}`);
});

test('items that were watched to the end keep the rest of the error for their interval', () => {
  const scores = { base: [1, 1, 1, 1, 1, 1, 1, 1], new: [1, 1, 1, 1, 1, 1, 1, 1] };
  const plain = estimatePaired(scores, { seed: 1 });
  const watched = estimatePaired(scores, { seed: 1, of: 8 });
  assert.ok(Math.abs(plain.oneSided.low - (0.05 ** (1 / 8) - 1)) < 1e-12, `${plain.oneSided.low}`);
  assert.ok(Math.abs(watched.oneSided.low - (0.045 ** (1 / 8) - 1)) < 1e-12, `${watched.oneSided.low}`);
  assert.match(judgePaired(watched, 0.02).reason, /over 8 items.*; 154 would/);
});

/** Drift of one item whose output is a vector of ones. */
const drifted = (by: number, item = 'a'): ItemDrift =>
  itemDrift(item, { y: floats(1, 1, 1, 1) }, { y: floats(1 + by, 1 + by, 1 + by, 1 + by) });
const floats = (...values: number[]) => ({ type: 'float32' as const, dims: [1, values.length], data: Float32Array.from(values) });

test('drift without hope, or a fault, takes few items; drift that may be mended takes all', () => {
  const watch = () => watchDrift({ hopeless: 0.1 }, 0.025);
  const hopeless = taken(watch(), 100, () => drifted(0.8 + 0.4 * uniform()));
  assert.ok(hopeless <= 5, `${hopeless}`);
  assert.equal(
    taken(watch(), 100, () => drifted(0.12 * uniform())),
    100,
  );
  assert.equal(
    taken(watch(), 100, (at) => drifted(at === 2 ? NaN : 0)),
    3,
  );
  const drifts = Array.from({ length: hopeless }, () => drifted(0.8 + 0.4 * uniform()));
  const judged = judgeDrift(summariseDrift(drifts, { seed: 1, of: 100 }), { relativeError: 0.02 });
  assert.equal(judged.outcome, 'regression');
  assert.match(judged.reason, /\(0\.\d+ to ∞\) is beyond the limit of 0\.02, shown by \d of 100 items/);
});

test('an exact replacement takes all items, or those up to one that is faulty', () => {
  const watch = () => watchExact(1e-5);
  assert.equal(
    taken(watch(), 1000, () => drifted(1e-7)),
    1000,
  );
  assert.equal(
    taken(watch(), 1000, (at) => drifted(at === 7 ? 1e-3 : 0)),
    8,
  );
  const labels = (...values: number[]) => ({ type: 'int32' as const, dims: [1, 2], data: Int32Array.from(values) });
  assert.equal(
    taken(watch(), 1000, () => itemDrift('a', { y: labels(1, 2) }, { y: labels(1, 3) })),
    1000,
    'labels that change are judged by their share',
  );
});
