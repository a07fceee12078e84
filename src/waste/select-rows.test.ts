import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Shape } from '../contract/shape.ts';
import { selectRows } from './select-rows.ts';

const shape: Shape = { batch: 2, heads: 3, kvHeads: 3, queries: 100, keys: 100, headDim: 4, causal: true, dtype: 'f32' };
const places = Array.from({ length: 6 }, (_, index) => ({ batch: Math.floor(index / 3), head: index % 3 }));

test('all rows are each query once, standing for itself', () => {
  for (const selection of ['all', { count: 600, seed: 1 }, { count: 10_000, seed: 1 }] as const) {
    const sample = selectRows(shape, selection, { batch: 1, head: 2 });
    assert.deepEqual(
      [...sample.queries],
      Array.from({ length: 100 }, (_, query) => query),
    );
    assert.ok(sample.weights.every((weight) => weight === 1));
    assert.equal(
      sample.strata.reduce((a, b) => a + b),
      100,
    );
    assert.ok(sample.strata.every((size) => size >= 2));
  }
});

test('sampled rows are as many as asked for, dealt over the heads, and stand for all rows', () => {
  const samples = places.map((at) => selectRows(shape, { count: 80, seed: 9 }, at));
  assert.deepEqual(
    samples.map((sample) => sample.queries.length),
    [13, 13, 14, 13, 13, 14],
  );
  for (const sample of samples) {
    assert.ok(Math.abs(sample.weights.reduce((a, b) => a + b) - 100) < 1e-9);
    assert.equal(new Set(sample.queries).size, sample.queries.length);
    assert.equal(
      sample.strata.reduce((a, b) => a + b),
      sample.queries.length,
    );
  }
});

test('every run of positions gives two rows, the odd one more', () => {
  const { queries, strata } = selectRows(shape, { count: 6 * 11, seed: 4 }, { batch: 0, head: 0 });
  assert.deepEqual(strata, [2, 2, 2, 2, 3]);
  assert.deepEqual(
    [...queries].map((query) => Math.floor(query / 20)),
    [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4],
  );
});

test('a sample follows from its seed, and heads differ', () => {
  const draw = (seed: number, at = places[0]!) => [...selectRows(shape, { count: 60, seed }, at).queries];
  assert.deepEqual(draw(1), draw(1));
  assert.notDeepEqual(draw(1), draw(2));
  assert.notDeepEqual(draw(1), draw(1, places[1]));
});

test('every row is drawn as often as every other', () => {
  const small = { ...shape, batch: 1, heads: 1, queries: 7 };
  const hits = new Float64Array(7);
  for (let seed = 0; seed < 3000; seed += 1) {
    const { queries, weights } = selectRows(small, { count: 5, seed }, { batch: 0, head: 0 });
    for (const [index, query] of queries.entries()) hits[query]! += weights[index]!;
  }
  // A row's weight is at most 1.5, drawn at 2/3: five standard deviations of the mean of 3000 are .065.
  for (const hit of hits) assert.ok(Math.abs(hit / 3000 - 1) < 0.065, [...hits].join(' '));
});

test('each head gives two rows at least, and no more than it has', () => {
  assert.deepEqual(
    places.map((at) => selectRows(shape, { count: 1, seed: 0 }, at).queries.length),
    [2, 2, 2, 2, 2, 2],
  );
  const decode = { ...shape, queries: 1 };
  const sample = selectRows(decode, { count: 3, seed: 0 }, { batch: 0, head: 0 });
  assert.deepEqual([[...sample.queries], [...sample.weights], sample.strata], [[0], [1], [1]]);
});

test('runs that are no longer than their draws are taken whole', () => {
  for (let queries = 2; queries < 40; queries += 1) {
    for (let count = 2; count <= queries; count += 1) {
      const single = { ...shape, batch: 1, heads: 1, queries };
      const sample = selectRows(single, { count, seed: 5 }, { batch: 0, head: 0 });
      assert.equal(new Set(sample.queries).size, count);
      assert.ok(sample.queries.every((query) => query >= 0 && query < queries));
      assert.ok(sample.weights.every((weight) => weight >= 1));
    }
  }
});
