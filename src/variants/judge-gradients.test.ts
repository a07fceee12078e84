import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Gradients } from '../contract/adapter.ts';
import type { AttentionInputs } from '../contract/inputs.ts';
import { kvHeadOf } from '../contract/shape.ts';
import { drawCalibrated } from '../inputs/calibrated.ts';
import { drawGaussian } from '../inputs/gaussian.ts';
import { findVariant, parseVariant } from './index.ts';
import { drawOutputGradient, judgeGradients } from './judge-gradients.ts';
import { allRows, visitRows } from './reference.ts';

const shape = { batch: 2, heads: 4, kvHeads: 2, queries: 40, keys: 40, headDim: 8, causal: true, dtype: 'f32' as const };

/**
 * The gradients of variants whose logits are plain c·q·k, row by row in float64: ∂/∂v_j = p_j·do, ∂/∂s_j = p_j(v_j − o)·do, and from there to q and k.
 */
function rowGradients(inputs: AttentionInputs, text: string, outputGradient: Float32Array): Gradients {
  const { variant, parameters } = parseVariant(text);
  const { heads, kvHeads, queries, keys, headDim } = inputs.shape;
  const sums = {
    query: new Float64Array(inputs.query.length),
    key: new Float64Array(inputs.key.length),
    value: new Float64Array(inputs.value.length),
  };
  visitRows(inputs, { variant: findVariant(variant), parameters }, allRows(inputs.shape), ({ at, row, weights, output, view }) => {
    const q = ((at.batch * heads + at.head) * queries + at.query) * headDim;
    const slope = outputGradient.subarray(q, q + headDim);
    const kvStart = (at.batch * kvHeads + kvHeadOf(inputs.shape, at.head)) * keys * headDim;
    for (let e = 0; e < row.length; e++) {
      const k = row.key[e]! * headDim;
      let alongValue = 0;
      for (let m = 0; m < headDim; m++) alongValue += slope[m]! * (view.value[k + m]! - output[m]!);
      const alongLogit = view.scale * weights[e]! * alongValue;
      for (let m = 0; m < headDim; m++) {
        sums.value[kvStart + k + m]! += weights[e]! * slope[m]!;
        sums.query[q + m]! += alongLogit * view.key[k + m]!;
        sums.key[kvStart + k + m]! += alongLogit * inputs.query[q + m]!;
      }
    }
  });
  return { query: Float32Array.from(sums.query), key: Float32Array.from(sums.key), value: Float32Array.from(sums.value) };
}

function judge(text: string, inputs: AttentionInputs, change: (gradients: Gradients) => Gradients = (right) => right, seed = 3) {
  const { variant, parameters } = parseVariant(text);
  const named = { variant: findVariant(variant), parameters };
  const outputGradient = drawOutputGradient(inputs, named, seed);
  const gradients = change(rowGradients(inputs, text, outputGradient));
  return judgeGradients({ inputs, outputGradient, gradients }, named, { seed, outputBudget: 1e-5 });
}

for (const text of ['dense', 'topk:k=5', 'window:w=9', 'block-topk:block=8,blocks=3']) {
  test(`${text}: exact gradients pass, far below the budget, causal and not, grouped, on both kinds of inputs`, () => {
    for (const causal of [true, false]) {
      for (const draw of [drawGaussian, drawCalibrated]) {
        const { ok, relative, budget, reason } = judge(text, draw({ ...shape, causal }, 5));
        assert.ok(ok, reason);
        assert.ok(relative < budget / 10, `${relative} of ${budget}`);
      }
    }
  });
}

const mistakes: Record<string, (gradients: Gradients) => Gradients> = {
  'the query’s gradient without the scale': (right) => ({ ...right, query: right.query.map((value) => value * Math.sqrt(shape.headDim)) }),
  'the key’s gradient with the other sign': (right) => ({ ...right, key: right.key.map((value) => -value) }),
  'the value’s gradient a thousandth too large': (right) => ({ ...right, value: right.value.map((value) => value * 1.001) }),
  'a key’s gradient of one query head of the group only': (right) => ({ ...right, key: right.key.map((value) => value / 2) }),
  'gradients of the next position': (right) => ({
    ...right,
    query: right.query.map((_, at, all) => all[(at + shape.headDim) % all.length]!),
  }),
  'a gradient with NaN anywhere': (right) => ({ ...right, value: right.value.map((value, at) => (at === 1 ? Number.NaN : value)) }),
  'a gradient of another size': (right) => ({ ...right, key: right.key.subarray(1) }),
  'no gradient at all': (right) => ({ ...right, query: new Float32Array(right.query.length) }),
};

for (const [name, change] of Object.entries(mistakes)) {
  test(`the check catches ${name}, whichever head the seed takes`, () => {
    for (const seed of [0, 1]) {
      const judgement = judge('dense', drawGaussian(shape, 5), change, seed);
      assert.equal(judgement.ok, false);
      assert.match(judgement.reason ?? '', /gradient/);
    }
  });
}

test('rows whose selection a step may change get no gradient of the output, in the judged head alone', () => {
  const inputs = drawGaussian({ ...shape, batch: 1 }, 5);
  const tied = { ...inputs, key: inputs.key.map((_, at, all) => all[at - (at % (2 * shape.headDim)) + (at % shape.headDim)]!) };
  const { variant, parameters } = parseVariant('topk:k=5');
  const gradient = drawOutputGradient(tied, { variant: findVariant(variant), parameters }, 1);
  const zeroRows = (head: number) =>
    Array.from({ length: shape.queries }, (_, query) => (head * shape.queries + query) * shape.headDim).filter(
      (from) => gradient[from] === 0,
    ).length;
  assert.ok(zeroRows(2) > 5 && zeroRows(3) > 5);
  assert.equal(zeroRows(0) + zeroRows(1), 0);
});
