import assert from 'node:assert/strict';
import test from 'node:test';
import type { AttentionInputs } from '../contract/inputs.ts';
import type { Row, Variant } from '../contract/variant.ts';
import { createCaseInputs } from './case-inputs.ts';
import type { CaseInputs } from './case-inputs.ts';
import { findVariant, parseVariant } from './index.ts';
import { assertWithinBudget, expectOutput, judgeOutput } from './judge.ts';
import type { JudgeOptions, Judgement } from './judge.ts';
import { judgeRows } from './judge-tally.ts';
import { allRows, referenceOutput, visitRows, weighedRows } from './reference.ts';
import type { ReferenceRow } from './reference.ts';

const all: JudgeOptions = { rows: 'all' };

function inputsOf(keys: number, others: Partial<CaseInputs & { causal: boolean; heads: number; queries: number }> = {}): AttentionInputs {
  const { causal = true, heads = 2, queries = keys, ...rest } = others;
  const shape = { batch: 1, heads, kvHeads: heads, queries, keys, headDim: 16, causal, dtype: 'f32' } as const;
  return createCaseInputs({ shape, mask: 'none', values: 'normal', seed: 11, ...rest });
}

/** What a kernel gives that sees `tamper`ed rows of the variant. */
function tampered(text: string, inputs: AttentionInputs, tamper: (row: Row, query: number, head: number) => void): Float32Array {
  const { variant: name, parameters } = parseVariant(text);
  const variant = findVariant(name);
  assert.ok(variant.rows !== undefined);
  const wrong: Variant = {
    ...variant,
    rows(given, read, at) {
      const rows = weighedRows(variant, given, read, at);
      return { pools: rows.pools, fill: (query, row) => (rows.fill(query, row), tamper(row, query, at.head)) };
    },
  };
  return Float32Array.from(referenceOutput(inputs, wrong, parameters));
}

function judged(text: string, output: Float32Array, inputs: AttentionInputs, options: JudgeOptions = all): Judgement {
  const { variant, parameters } = parseVariant(text);
  const judgement = judgeOutput(output, inputs, findVariant(variant), parameters, options);
  // What was expected beforehand judges alike.
  const expected = expectOutput(inputs, findVariant(variant), parameters, options);
  assert.deepEqual(judgeRows(output, inputs.shape, expected), judgement);
  return judgement;
}

const honest = (text: string, inputs: AttentionInputs): Float32Array => tampered(text, inputs, () => undefined);

/** The row's result as a kernel that rounds every operation to f32 gets it. */
function roundedRow({ row, rows, view, at }: ReferenceRow): number[] {
  const { headDim, keys } = view.shape;
  const round = Math.fround;
  const logits = Array.from(row.logit.subarray(0, row.length), (exact, e) => {
    let sum = 0;
    for (let m = 0; m < headDim; m++) sum = round(sum + round(view.query[at.query * headDim + m]! * view.key[row.key[e]! * headDim + m]!));
    return row.key[e]! < keys ? round(sum * round(view.scale)) : round(exact);
  });
  const most = Math.max(...logits);
  const weights = logits.map((logit) => round(Math.exp(round(logit - most))));
  const total = weights.reduce((sum, weight) => round(sum + weight), 0);
  const valueOf = (key: number, m: number) => (key < keys ? view.value[key * headDim + m]! : rows.pools[key - keys]!.value[m]!);
  return Array.from({ length: headDim }, (_, m) =>
    round(weights.reduce((sum, weight, e) => round(sum + round(weight * valueOf(row.key[e]!, m))), 0) / total),
  );
}

for (const text of ['dense', 'topk:k=20', 'window:w=33', 'hierarchical:ratio=1:1:1', 'block-topk:block=16,blocks=4']) {
  for (const causal of [true, false]) {
    test(`${text}, ${causal ? 'causal' : 'full'}: f32 arithmetic passes with room, and would not pass by a hundred times less`, () => {
      const inputs = inputsOf(300, { causal, heads: 3 });
      const { variant, parameters } = parseVariant(text);
      const output = new Float32Array(inputs.query.length);
      const named = { variant: findVariant(variant), parameters };
      visitRows(inputs, named, allRows(inputs.shape), (reference) => output.set(roundedRow(reference), reference.index * 16));
      const { relative, budget, worst } = assertWithinBudget(output, inputs, named.variant, parameters, all);
      assert.ok(relative > budget / 100 && relative < budget / 4, `${relative} of ${budget}`);
      assert.ok(worst.ofAllowance < 2);
    });
  }
}

test('a window shifted by one is caught', () => {
  const inputs = inputsOf(600);
  const output = tampered('window:w=64', inputs, (row) => {
    for (let e = 0; e < row.length; e++) row.key[e] = Math.max(0, row.key[e]! - 1);
  });
  assert.equal(judged('window:w=64', output, inputs).ok, false);
  assert.equal(judged('window:w=64', honest('window:w=63', inputs), inputs).ok, false);
});

test('a forgotten scale is caught', () => {
  const inputs = inputsOf(200);
  assert.equal(judged('dense', honest('dense', { ...inputs, scale: 1 }), inputs).ok, false);
});

test('one future key leaked into one row of thousands is caught, and the row named', () => {
  const inputs = inputsOf(2000, { heads: 1 });
  const output = tampered('dense', inputs, (row, query) => {
    if (query !== 1500) return;
    row.key[row.length] = 1501;
    row.logit[row.length++] = 0;
  });
  const judgement = judged('dense', output, inputs);
  assert.equal(judgement.ok, false);
  assert.equal(judgement.worst.query, 1500);
  assert.match(judgement.reason!, /query 1500/);
});

test('a small leak that drowns in the norm of all rows is caught by its row', () => {
  const inputs = inputsOf(2000, { heads: 1 });
  const output = honest('dense', inputs);
  for (let m = 0; m < 16; m++) output[1500 * 16 + m]! *= 1.0001;
  const judgement = judged('dense', output, inputs);
  assert.ok(judgement.relative <= judgement.budget);
  assert.deepEqual([judgement.ok, judgement.worst.query], [false, 1500]);
  assert.ok(Math.abs(judgement.worst.relative - 1e-4) < 1e-5);
});

test('a tie that goes to the higher key is caught where logits are exact', () => {
  const inputs = inputsOf(64, { causal: false, values: 'integer', keyPeriod: 8 });
  const options = { ...all, exactLogits: true };
  assert.equal(judged('topk:k=5', honest('topk:k=5', inputs), inputs, options).ok, true);
  const wrong = tampered('topk:k=5', inputs, (row) => {
    // The last kept key is one of 8 equal ones: take the last of them instead.
    for (let e = 0; e < row.length; e++)
      if (row.key[e]! < 56 && !row.key.subarray(0, row.length).includes((row.key[e]! % 8) + 56)) row.key[e] = (row.key[e]! % 8) + 56;
  });
  assert.equal(judged('topk:k=5', wrong, inputs, options).ok, false);
});

test('a dropped + ln(tokens) is caught', () => {
  const inputs = inputsOf(128, { heads: 3 });
  const text = 'hierarchical:ratio=0:1:0';
  const wrong = tampered(text, inputs, (row) => {
    for (let e = 0; e < row.length; e++) if (row.key[e]! >= 128) row.logit[e]! -= Math.log(8);
  });
  assert.equal(judged(text, honest(text, inputs), inputs).ok, true);
  assert.equal(judged(text, wrong, inputs).ok, false);
});

test('the output of other inputs is caught, and so are zeros', () => {
  const inputs = inputsOf(100);
  assert.equal(judged('dense', honest('dense', inputsOf(100, { seed: 12 })), inputs).ok, false);
  assert.equal(judged('dense', new Float32Array(inputs.query.length), inputs).ok, false);
});

test('NaN and infinities never pass, not even in a row that is not sampled', () => {
  const inputs = inputsOf(500);
  for (const bad of [NaN, Infinity, -Infinity]) {
    const output = honest('dense', inputs);
    output[(500 + 77) * 16 + 3] = bad;
    for (const rows of ['all', { count: 8, seed: 1 }] as const) {
      const judgement = judged('dense', output, inputs, { rows });
      assert.equal(judgement.ok, false);
      assert.match(judgement.reason!, /batch 0, head 1, query 77, element 3/);
    }
  }
  const inputsWithNaN = { ...inputs, value: inputs.value.map((element, index) => (index === 5 ? NaN : element)) };
  assert.equal(judged('dense', honest('dense', inputs), inputsWithNaN).ok, false);
});

test('an output of another length never passes', () => {
  const inputs = inputsOf(10);
  assert.match(judged('dense', honest('dense', inputs).slice(1), inputs).reason!, /319 elements, expected 320/);
  assert.equal(judged('dense', new Float32Array(0), inputs).ok, false);
});

test('a row that sees nothing must be zeros', () => {
  const inputs = inputsOf(40, { mask: 'left' });
  const output = honest('dense', inputs);
  assert.equal(judged('dense', output, inputs).ok, true);
  output[0] = 1e-30;
  assert.equal(judged('dense', output, inputs).ok, false);
  const nothing = { ...inputs, mask: new Uint8Array(40) };
  assert.equal(judged('dense', new Float32Array(output.length), nothing).ok, true);
  assert.equal(judged('dense', output, nothing).ok, false);
});

test('a near tie is not judged, but must be finite; too many are a failure', () => {
  const inputs = inputsOf(60, { causal: false, heads: 1, queries: 300 });
  const near = inputs.key.slice();
  for (let m = 0; m < 16; m++) near[16 + m] = near[m]! * (m === 0 ? 1 + 2 ** -23 : 1);
  const tied = { ...inputs, key: near };
  const swap = (row: Row): void => {
    const keys = row.key.subarray(0, row.length);
    if (keys.includes(0) !== keys.includes(1)) keys[keys.indexOf(keys.includes(0) ? 0 : 1)] = keys.includes(0) ? 1 : 0;
  };
  const judgement = judged('topk:k=4', tampered('topk:k=4', tied, swap), tied);
  assert.ok(judgement.ok && judgement.ambiguousRows > 0, JSON.stringify(judgement));
  assert.equal(judged('topk:k=4', tampered('topk:k=4', tied, swap), tied, { ...all, exactLogits: true }).ok, false);
  const alike = { ...inputs, key: inputs.key.map((_, index) => inputs.key[index % 16]!) };
  const drowned = judged('topk:k=4', honest('topk:k=4', alike), alike);
  assert.equal(drowned.ok, false);
  assert.match(drowned.reason!, /300 of 300 rows are near ties/);
});

test('the budget follows the dtype and the length of the sums', () => {
  const budgetOf = (keys: number, dtype: 'f32' | 'f16' | 'bf16', headDim = 16) => {
    const shape = { batch: 1, heads: 1, kvHeads: 1, queries: 20, keys, headDim, causal: false, dtype };
    const inputs = createCaseInputs({ shape, mask: 'none', values: 'normal', seed: 3 });
    return judged('dense', honest('dense', inputs), inputs).budget;
  };
  assert.ok(budgetOf(2000, 'f32') > 1.2 * budgetOf(20, 'f32'));
  assert.ok(budgetOf(100, 'f32', 64) > 1.2 * budgetOf(100, 'f32', 4));
  assert.ok(budgetOf(100, 'f16') > 1000 * budgetOf(100, 'f32') && budgetOf(100, 'bf16') > 2 * budgetOf(100, 'f16'));
  assert.ok(budgetOf(1000, 'f32') < 1e-5 && budgetOf(1000, 'f16') < 0.05 && budgetOf(1000, 'bf16') < 0.1);
});

test('assertWithinBudget throws the reason', () => {
  const inputs = inputsOf(10);
  const wrong = new Float32Array(320);
  assert.throws(() => assertWithinBudget(wrong, inputs, findVariant('dense'), {}, all), {
    name: 'AssertionError',
    message: /dense: relative error/,
  });
});
