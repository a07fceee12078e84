import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AttentionInputs } from '../contract/inputs.ts';
import type { Shape } from '../contract/shape.ts';
import type { Row, Variant } from '../contract/variant.ts';
import { RandomStream } from '../inputs/random.ts';
import { normalCdf, normalQuantile } from '../statistics/normal.ts';
import { parameterObject } from '../variants/parameter-types.ts';
import { massShares } from './columns.ts';
import { measureWaste } from './measure-waste.ts';

const keys = 4096;
const shape: Shape = { batch: 1, heads: 1, kvHeads: 1, queries: 40, keys, headDim: 1, causal: false, dtype: 'f32' };
const inputs: AttentionInputs = {
  shape,
  query: new Float32Array(shape.queries),
  key: new Float32Array(keys),
  value: new Float32Array(keys).fill(1),
  scale: 1,
};

/** Dense attention whose logits are independent normals of standard deviation `deviation`. */
function normalLogits(deviation: number): Variant {
  const fill = (query: number, row: Row): void => {
    const stream = new RandomStream(query, 'normal logits');
    for (let j = 0; j < keys; j += 1) {
      row.key[j] = j;
      row.logit[j] = deviation * stream.normal();
    }
    row.length = keys;
  };
  return {
    name: 'dense',
    summary: '',
    parameters: parameterObject({}),
    refuses: () => undefined,
    cost: () => ({ scoredPairs: 0, weightedPairs: 0, densePairs: 0, flops: 0, bytes: 0 }),
    rows: () => ({ pools: [], fill }),
  };
}

for (const deviation of [0.5, 1, 2]) {
  test(`normal logits of deviation ${deviation} at 4096 keys waste Φ(σ − z_p)`, () => {
    const dense = normalLogits(deviation);
    const { overall } = measureWaste({ inputs, inputsName: 'normal logits', variant: dense, parameters: {}, dense, rows: 'all' });
    for (const name of ['p90', 'p95', 'p99'] as const) {
      const found = overall.wastedCompute[name]!.value;
      const expected = normalCdf(deviation - normalQuantile(massShares[name]));
      assert.ok(Math.abs(found - expected) < 0.01, `${name}: ${found}, expected ${expected}`);
      if (deviation === 1) assert.ok(Math.abs(found - { p90: 0.39, p95: 0.26, p99: 0.09 }[name]) < 0.01, `${name}: ${found}`);
    }
    // The supports' sums are ruled by the largest weights: at σ = 2, 4096 keys are too few for their limits.
    if (deviation > 1) return;
    const { entropy, participation } = overall.effectiveSupport;
    assert.ok(Math.abs(entropy!.value - Math.exp(-(deviation ** 2) / 2)) < 0.01, `entropy: ${entropy!.value}`);
    assert.ok(Math.abs(participation!.value - Math.exp(-(deviation ** 2))) < 0.015, `participation: ${participation!.value}`);
  });
}
