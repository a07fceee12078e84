import assert from 'node:assert/strict';
import test from 'node:test';
import { sampleRows } from './sample-rows.ts';

const shape = { batch: 2, heads: 3, kvHeads: 3, queries: 1000, keys: 1000, headDim: 4, causal: true, dtype: 'f32' } as const;

test('a sample takes as many rows of each head, one of each stratum of position, and the first and the last', () => {
  const rows = sampleRows(shape, { count: 60, seed: 4 });
  for (let batch = 0; batch < 2; batch++) {
    for (let head = 0; head < 3; head++) {
      const queries = rows.filter((row) => row.batch === batch && row.head === head).map(({ query }) => query);
      assert.ok(queries[0] === 0 && queries.at(-1) === 999);
      assert.equal(new Set(queries).size, queries.length);
      for (let stratum = 0; stratum < 10; stratum++) assert.ok(queries.some((query) => Math.floor(query / 100) === stratum));
      assert.ok(queries.length >= 10 && queries.length <= 12);
    }
  }
});

test('the same seed gives the same rows, another seed others', () => {
  assert.deepEqual(sampleRows(shape, { count: 60, seed: 4 }), sampleRows(shape, { count: 60, seed: 4 }));
  assert.notDeepEqual(sampleRows(shape, { count: 60, seed: 4 }), sampleRows(shape, { count: 60, seed: 5 }));
});

test('every row of a stratum is drawn by some seed, in the first stratum of the first head too', () => {
  const strata = new Map<number, Set<number>>();
  for (let seed = 0; seed < 2000; seed++) {
    for (const { query } of sampleRows(shape, { count: 60, seed }).filter(({ batch, head }) => batch === 0 && head === 0)) {
      const stratum = Math.floor(query / 100);
      strata.set(stratum, (strata.get(stratum) ?? new Set()).add(query));
    }
  }
  assert.deepEqual(
    [...strata.values()].map(({ size }) => size),
    Array.from({ length: 10 }, () => 100),
  );
});

test('all rows are taken where they are asked for, or fewer than the count', () => {
  assert.equal(sampleRows(shape, 'all').length, 6000);
  assert.equal(sampleRows({ ...shape, queries: 3 }, { count: 60, seed: 1 }).length, 18);
  assert.equal(sampleRows({ ...shape, queries: 1 }, { count: 1, seed: 1 }).length, 6);
});
