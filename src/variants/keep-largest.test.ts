import assert from 'node:assert/strict';
import test from 'node:test';
import { createCut, cutLargest, stays } from './keep-largest.ts';

function keep(scores: readonly number[], count: number): { kept: number[]; margin: number } {
  const cut = createCut();
  cutLargest(Float64Array.from(scores), scores.length, count, new Float64Array(scores.length), cut);
  const { margin } = cut;
  return { kept: [...scores.keys()].filter((index) => stays(cut, scores[index]!)), margin };
}

test('the largest stay, a tie going to the lower index', () => {
  assert.deepEqual(keep([1, 5, 3, 5, 3, 5, 3], 5), { kept: [0, 1, 2, 3, 4, 5, 6].filter((e) => ![0, 6].includes(e)), margin: 0 });
  assert.deepEqual(keep([2, 2, 2, 2], 3), { kept: [0, 1, 2], margin: 0 });
  assert.deepEqual(keep([0, -0, 0], 1), { kept: [0], margin: 0 });
});

test('the margin is the gap at the cut, and infinite where nothing is dropped by score', () => {
  assert.deepEqual(keep([4, 9, 1.5, 6], 2), { kept: [1, 3], margin: 2 });
  assert.deepEqual(keep([4, 9], 2), { kept: [0, 1], margin: Infinity });
  assert.deepEqual(keep([4, 9], 3), { kept: [0, 1], margin: Infinity });
  assert.deepEqual(keep([4, 9], 0), { kept: [], margin: Infinity });
});

test('any list is cut as a stable sort would', () => {
  let state = 1;
  const random = (most: number) => (state = (state * 48271) % 2147483647) % most;
  for (let round = 0; round < 2000; round++) {
    const scores = Array.from({ length: 1 + random(40) }, () => random(round % 2 === 0 ? 6 : 1e9));
    const count = random(scores.length + 2);
    const sorted = [...scores.keys()].sort((a, b) => scores[b]! - scores[a]! || a - b);
    assert.deepEqual(
      keep(scores, count).kept,
      sorted.slice(0, count).sort((a, b) => a - b),
    );
  }
});

test('rising, falling and flat lists are cut in linear time', () => {
  const leastMs = (scores: number[]) => {
    const runs = Array.from({ length: 5 }, () => {
      const started = performance.now();
      assert.equal(keep(scores, scores.length / 2).kept.length, scores.length / 2);
      return performance.now() - started;
    });
    return Math.min(...runs);
  };
  for (const scoreOf of [(e: number) => e, (e: number) => -e, () => 7]) {
    const [short, long] = [10_000, 100_000].map((length) => leastMs(Array.from({ length }, (_, e) => scoreOf(e)))) as [number, number];
    // Ten times as long takes ten times as long, where quadratic time would be a hundred times.
    assert.ok(long < 50 * short, `${long} ms, and ${short} ms for a tenth`);
  }
});
