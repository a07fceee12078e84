import assert from 'node:assert/strict';
import test from 'node:test';
import type { AttentionInputs } from '../contract/inputs.ts';
import { createCaseInputs } from './case-inputs.ts';
import { findVariant } from './index.ts';
import { allRows, visitRows } from './reference.ts';
import type { ReferenceRow } from './reference.ts';
import { settleParameters } from './settle-parameters.ts';

const shape = { batch: 1, heads: 2, kvHeads: 1, queries: 23, keys: 23, headDim: 7, causal: true, dtype: 'f32' } as const;
const plain = createCaseInputs({ shape, mask: 'holes', values: 'normal', seed: 3 });
const biased: AttentionInputs = {
  ...plain,
  softcap: 2,
  bias: { dims: [1, 1, 1, 23], values: Float32Array.from({ length: 23 }, (_, j) => (j === 5 ? -1e30 : Math.sin(j))) },
};

/** Every logit and every output as one sum after another gives them. */
function assertOneByOne({ view, row, rows, weights, output, at }: ReferenceRow): void {
  const { keys, headDim } = view.shape;
  const expected = new Float64Array(headDim);
  for (let e = 0; e < row.length; e++) {
    const key = row.key[e]!;
    const value = key < keys ? view.value.subarray(key * headDim, (key + 1) * headDim) : rows.pools[key - keys]!.value;
    for (let m = 0; m < headDim; m++) expected[m]! += weights[e]! * value[m]!;
    if (key >= keys) continue;
    let sum = 0;
    for (let m = 0; m < headDim; m++) sum += view.query[at.query * headDim + m]! * view.key[key * headDim + m]!;
    const logit = view.softcap === undefined ? view.scale * sum : view.softcap * Math.tanh((view.scale * sum) / view.softcap);
    assert.equal(row.logit[e], logit + (view.bias?.(at.query, key) ?? 0), `query ${at.query}, key ${key}`);
  }
  assert.deepEqual(output, expected, `query ${at.query}`);
}

test('products that are taken four at once give the same logits and outputs to the bit', () => {
  for (const [name, inputs] of [
    ['dense', plain],
    ['dense', biased],
    ['hierarchical', plain],
  ] as const) {
    const variant = findVariant(name);
    const lengths = new Set<number>();
    visitRows(inputs, { variant, parameters: settleParameters(variant, {}) }, allRows(shape), (reference) => {
      assertOneByOne(reference);
      lengths.add(reference.row.length % 4);
    });
    assert.equal(lengths.size, 4, `${name}: a row of every length, by fours`);
  }
});
