import assert from 'node:assert/strict';
import test from 'node:test';
import type { Shape } from '../contract/shape.ts';
import type { Parameters, Variant } from '../contract/variant.ts';
import { createCaseInputs } from './case-inputs.ts';
import { findVariant, parseVariant } from './index.ts';
import { createRow, weighedRows } from './reference.ts';

const lengths = [
  [1, 1],
  [2, 2],
  [7, 7],
  [16, 16],
  [23, 23],
  [1, 14],
  [5, 18],
  [9, 4],
] as const;

function shapesOf(): Shape[] {
  return lengths.flatMap(([queries, keys]) =>
    [true, false].flatMap((causal) =>
      [1, 3, 4].map((heads) => ({
        batch: 2,
        heads,
        kvHeads: heads === 4 ? 2 : 1,
        queries,
        keys,
        headDim: 4,
        causal,
        dtype: 'f32' as const,
      })),
    ),
  );
}

function summedRows(variant: Variant, parameters: Parameters, shape: Shape): number {
  const inputs = createCaseInputs({ shape, mask: 'none', values: 'normal', seed: 5 });
  const row = createRow(2 * shape.keys);
  let sum = 0;
  for (let batch = 0; batch < shape.batch; batch++) {
    for (let head = 0; head < shape.heads; head++) {
      const rows = weighedRows(variant, inputs, parameters, { batch, head });
      for (let query = 0; query < shape.queries; query++) {
        rows.fill(query, row);
        sum += row.length;
      }
    }
  }
  return sum;
}

const texts = [
  ...['dense', 'topk:k=3', 'topk:keep=0.3', 'window:w=5', 'window:w=4,globals=3', 'window:w=1', 'window:w=9,globals=100'],
  ...['grid=4x4,w=3', 'grid=2x2x5,w=1x2x4,globals=3', 'grid=4x2x2,w=2,time=past', 'grid=2x11,w=40,globals=1'].map(
    (list) => `grid-window:${list}`,
  ),
  ...['gated', 'gated:sparsity=0.3', 'gated:sparsity=0.7,form=log', 'gated:block=4', 'gated:block=4,sparsity=0.5', 'gated:block=30'],
  ...['gated:form=query', 'gated:form=query,sparsity=0.41', 'gated:form=output,sparsity=0.3'],
  ...['hierarchical:local=2,region=4', 'hierarchical:local=3,region=6,ratio=1:1:1', 'hierarchical:ratio=0:1:1', 'hierarchical'],
  ...['block-topk:block=4,blocks=3', 'block-topk:block=3,blocks=2', 'block-topk'],
];

/** Not causal, with a shorter last block and blocks to drop, the data decide whether the short one counts: an upper bound. */
function isBound(parameters: Parameters, shape: Shape): boolean {
  const block = Number(parameters['block'] ?? 1);
  const drops = Number(parameters['sparsity'] ?? 0) > 0 || Math.ceil(shape.keys / block) > Number(parameters['blocks'] ?? Infinity);
  return !shape.causal && shape.keys % block !== 0 && drops;
}

for (const text of texts) {
  test(`${text}: weightedPairs is the sum of the rows' lengths`, () => {
    const { variant: name, parameters } = parseVariant(text);
    const variant = findVariant(name);
    const shapes = shapesOf().filter((shape) => variant.refuses(parameters, shape) === undefined);
    assert.ok(shapes.length >= 6);
    for (const shape of shapes) {
      const cost = variant.cost(parameters, shape);
      const summed = summedRows(variant, parameters, shape);
      const short = shape.keys % Number(parameters['block'] ?? 1);
      const block = Number(parameters['block'] ?? 1);
      const most = isBound(parameters, shape) ? summed + shape.batch * shape.heads * shape.queries * (block - short) : summed;
      assert.ok(
        summed <= cost.weightedPairs && cost.weightedPairs <= most,
        `${JSON.stringify(shape)}: ${cost.weightedPairs}, rows ${summed}`,
      );
      assert.ok(cost.scoredPairs >= cost.weightedPairs);
    }
  });
}

const square = { batch: 1, heads: 8, kvHeads: 8, queries: 4096, keys: 4096, headDim: 64, causal: false, dtype: 'f16' } as const;

test('dense causal attention weighs the triangle, from the offset of fewer queries or more', () => {
  const dense = (queries: number, keys: number) =>
    findVariant('dense').cost({}, { ...square, heads: 1, kvHeads: 1, queries, keys, causal: true }).densePairs;
  assert.deepEqual([dense(4, 4), dense(2, 4), dense(4, 2), dense(1, 9)], [10, 7, 3, 9]);
});

test('a window scores w keys a row away from the edges', () => {
  const cost = findVariant('window').cost({ w: 256 }, { ...square, heads: 1, kvHeads: 1, causal: true });
  assert.equal(cost.scoredPairs, 4096 * 256 - (255 * 256) / 2);
});

test('hierarchical attention at 4096 scores about a 130th of all pairs', () => {
  const cost = findVariant('hierarchical').cost({}, square);
  assert.ok(Math.abs(cost.densePairs / cost.scoredPairs - 130) < 3, `${cost.densePairs / cost.scoredPairs}`);
});

test('FLOPs are two a headDim and pair, scored and weighted; bytes are inputs and output once, in the dtype', () => {
  const cost = findVariant('dense').cost({}, { ...square, kvHeads: 2 });
  assert.equal(cost.flops, 4 * 64 * 8 * 4096 ** 2);
  assert.equal(cost.bytes, 2 * 64 * 4096 * (8 + 2 + 2 + 8));
});

test('a gate adds its projections, its products and its tensors', () => {
  const shape = { ...square, queries: 10, keys: 10, headDim: 16 };
  const [dense, gated] = [findVariant('dense').cost({}, shape), findVariant('gated').cost({ rank: 3 }, shape)];
  assert.equal(gated.flops - dense.flops, 8 * (2 * 16 * 3 * 20 + 2 * 3 * 100));
  assert.equal(gated.bytes - dense.bytes, 2 * 8 * (2 * 16 * 3 + 1));
  assert.equal(gated.scoredPairs, dense.scoredPairs);
});

test('block selection scores each pair of blocks once, and no future ones', () => {
  const pairs = (causal: boolean, queries: number) => {
    const cost = findVariant('block-topk').cost({ block: 4, blocks: 2 }, { ...square, heads: 1, kvHeads: 1, queries, keys: 16, causal });
    return cost.scoredPairs - cost.weightedPairs;
  };
  assert.deepEqual([pairs(false, 16), pairs(true, 16), pairs(false, 1)], [16, 10, 4]);
});
