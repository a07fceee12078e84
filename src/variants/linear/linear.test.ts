import assert from 'node:assert/strict';
import test from 'node:test';
import type { AttentionInputs } from '../../contract/inputs.ts';
import type { Shape } from '../../contract/shape.ts';
import { createCaseInputs, maskKinds } from '../case-inputs.ts';
import { findVariant, parseVariant } from '../index.ts';
import { judgeOutput } from '../judge.ts';
import { allRows, referenceOutput, visitRows } from '../reference.ts';
import { linearSettings } from './parameters.ts';
import type { LinearSettings } from './parameters.ts';

/*
 * The rules spelt out by pairs, without a state: with c(t) the unpadded keys up to t, key j has the weight γ^|c(p) − c(j)| φ(q)·φ(k_j) for a
 * query at p. The delta rules weigh x_j = β(v_j − Σ_{i<j} γ^(c(j) − c(i)) (φ(k_j)·φ(k_i)) x_i) instead of v_j.
 */

type Vector = readonly number[];

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const sum = (values: Vector): number => values.reduce((a, b) => a + b, 0);
const dot = (a: Vector, b: Vector): number => sum(a.map((x, m) => x * b[m]!));

function mapped(vector: Vector, { map, unitLength }: LinearSettings): Vector {
  const image = vector.map((x) => ({ elu: x > 0 ? x + 1 : Math.exp(x), relu: Math.max(0, x), identity: x })[map]);
  const length = Math.sqrt(dot(image, image));
  return unitLength ? image.map((x) => (length === 0 ? 0 : x / length)) : image;
}

function byPairs(inputs: AttentionInputs, settings: LinearSettings, at: { batch: number; head: number }): number[] {
  const { heads, kvHeads, queries, keys, headDim, causal } = inputs.shape;
  const kvHead = Math.floor((at.head * kvHeads) / heads);
  const vectors = (data: Float32Array, from: number, count: number): Vector[] =>
    range(count).map((i) => [...data.subarray((from + i) * headDim, (from + i + 1) * headDim)]);
  const q = vectors(inputs.query, (at.batch * heads + at.head) * queries, queries).map((each) => mapped(each, settings));
  const k = vectors(inputs.key, (at.batch * kvHeads + kvHead) * keys, keys).map((each) => mapped(each, settings));
  const v = vectors(inputs.value, (at.batch * kvHeads + kvHead) * keys, keys);
  const isKept = range(keys).map((j) => inputs.mask === undefined || inputs.mask[at.batch * keys + j] === 1);
  const unpadded = range(keys).map((t) => isKept.slice(0, t + 1).filter(Boolean).length);
  const decayed = (a: number, b: number): number => settings.decayOf(kvHead) ** Math.abs(unpadded[a]! - unpadded[b]!);
  const { beta } = settings;
  const written: Vector[] = [];
  for (const j of range(keys)) {
    const earlier = range(j).filter((i) => isKept[i]);
    const held = (m: number) => sum(earlier.map((i) => decayed(j, i) * dot(k[j]!, k[i]!) * written[i]![m]!));
    written.push(beta === undefined ? v[j]! : v[j]!.map((x, m) => beta * (x - held(m))));
  }
  return range(queries).flatMap((i) => {
    const position = i + keys - queries;
    const seen = range(keys).filter((j) => isKept[j] && (!causal || j <= position));
    const isOrdered = settings.rule !== 'linear';
    const weights = seen.map((j) => (isOrdered ? decayed(position, j) : 1) * dot(q[i]!, k[j]!));
    const total = settings.normalized ? sum(weights) || 1 : 1 / inputs.scale;
    return range(headDim).map((m) => sum(seen.map((j, e) => weights[e]! * written[j]![m]!)) / total);
  });
}

const texts = [
  ...['linear', 'linear:map=relu', 'linear:map=identity', 'linear:norm=none', 'linear:rule=gated', 'linear:rule=gated,decay=0.7'],
  ...['linear:rule=gated,map=identity', 'linear:rule=delta', 'linear:rule=delta,map=elu,beta=0.4', 'linear:rule=gated-delta,decay=0.8'],
];

for (const text of texts) {
  test(`${text} gives what its definition by pairs gives`, () => {
    const { parameters } = parseVariant(text);
    const linear = findVariant('linear');
    let compared = 0;
    for (const [queries, keys] of [
      [1, 1],
      [2, 2],
      [13, 13],
      [23, 23],
      [1, 14],
      [5, 18],
      [9, 4],
    ] as const) {
      for (const mask of maskKinds) {
        for (const causal of [true, false]) {
          const shape: Shape = { batch: 2, heads: 4, kvHeads: 2, queries, keys, headDim: 4, causal, dtype: 'f32' };
          if (linear.refuses(parameters, shape) !== undefined) continue;
          const inputs = createCaseInputs({ shape, mask, values: 'normal', seed: compared });
          const expected = range(8).flatMap((index) =>
            byPairs(inputs, linearSettings(parameters), { batch: Math.floor(index / 4), head: index % 4 }),
          );
          const actual = referenceOutput(inputs, linear, parameters);
          const off = expected.findIndex((element, index) => !(Math.abs(element - actual[index]!) <= 1e-11 * (1 + Math.abs(element))));
          assert.equal(off, -1, `${JSON.stringify({ queries, keys, mask, causal })}: ${actual[off]}, expected ${expected[off]}`);
          compared++;
        }
      }
    }
    assert.ok(compared >= 30);
  });
}

test('rows that are asked for alone, in any order, are those of the whole', () => {
  const shape = { batch: 1, heads: 2, kvHeads: 1, queries: 40, keys: 40, headDim: 4, causal: true, dtype: 'f32' } as const;
  const inputs = createCaseInputs({ shape, mask: 'holes', values: 'normal', seed: 4 });
  const named = { variant: findVariant('linear'), parameters: { rule: 'gated-delta' } };
  const whole = referenceOutput(inputs, named.variant, named.parameters);
  const rows = allRows(shape)
    .filter((_, index) => index % 7 === 3)
    .toReversed();
  visitRows(inputs, named, rows, ({ at, output }) => {
    const from = (at.head * 40 + at.query) * 4;
    assert.deepEqual([...output], [...whole.subarray(from, from + 4)]);
  });
});

test('the state of a delta rule stays bounded, whatever is written and how often', () => {
  const shape = { batch: 1, heads: 1, kvHeads: 1, queries: 2000, keys: 2000, headDim: 8, causal: true, dtype: 'f32' } as const;
  const inputs = createCaseInputs({ shape, mask: 'none', values: 'normal', seed: 4 });
  const output = referenceOutput({ ...inputs, scale: 1 }, findVariant('linear'), { rule: 'delta' });
  const largest = inputs.value.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  assert.ok(output.every((value) => Math.abs(value) < 8 * largest));
});

test('a delta rule is refused by name where it is not causal', () => {
  const shape = { batch: 1, heads: 1, kvHeads: 1, queries: 4, keys: 4, headDim: 4, causal: false, dtype: 'f32' } as const;
  const refusal = (rule: string) => findVariant('linear').refuses({ rule }, shape);
  assert.match(refusal('delta')!, /^linear with rule=delta is causal only/);
  assert.match(refusal('gated-delta')!, /^linear with rule=gated-delta is causal only/);
  assert.deepEqual([refusal('linear'), refusal('gated')], [undefined, undefined]);
});

test('work is counted by states, not by pairs: it grows with the length alone', () => {
  const shape = { batch: 1, heads: 8, kvHeads: 2, queries: 1024, keys: 1024, headDim: 64, causal: true, dtype: 'f32' } as const;
  const cost = (parameters: Record<string, string>, keys: number) =>
    findVariant('linear').cost(parameters, { ...shape, queries: keys, keys });
  const delta = cost({ rule: 'delta' }, 1024);
  assert.deepEqual([delta.scoredPairs, delta.weightedPairs], [0, 0]);
  // Of each key/value head a retrieval and an outer product a key; of each query head a product with the state.
  assert.equal(delta.flops, 64 * 64 * 1024 * (2 * (2 + 2) + 8 * 2));
  assert.equal(delta.stateBytes, 4 * 2 * 64 * 64);
  assert.equal(cost({}, 1024).stateBytes, 4 * 2 * 64 * 65);
  assert.equal(cost({ rule: 'delta' }, 4096).flops, 4 * delta.flops);
});

/** A kernel that keeps its state in f32 and rounds every operation. */
function roundedOutput(inputs: AttentionInputs, settings: LinearSettings): Float32Array {
  const { queries, headDim } = inputs.shape;
  const round = Math.fround;
  const gamma = round(settings.decayOf(0));
  const row = (data: Float32Array, i: number) => [...data.subarray(i * headDim, (i + 1) * headDim)];
  const columns = headDim + (settings.normalized ? 1 : 0);
  const state = Array.from({ length: headDim }, () => new Float32Array(columns));
  const times = (vector: Vector) => range(columns).map((b) => state.reduce((total, of, a) => round(total + round(vector[a]! * of[b]!)), 0));
  const output = new Float32Array(queries * headDim);
  for (const i of range(queries)) {
    const key = mapped(row(inputs.key, i), settings).map(round);
    const value = [...row(inputs.value, i), ...(settings.normalized ? [1] : [])];
    for (const each of state) each.forEach((x, b) => (each[b] = gamma * x));
    const held = settings.beta === undefined ? undefined : times(key);
    const change = held === undefined ? value : value.map((x, b) => round(settings.beta! * round(x - held[b]!)));
    for (const [a, each] of state.entries()) each.forEach((x, b) => (each[b] = x + round(key[a]! * change[b]!)));
    const read = times(mapped(row(inputs.query, i), settings).map(round));
    for (const m of range(headDim)) output[i * headDim + m] = settings.normalized ? read[m]! / read[headDim]! : inputs.scale * read[m]!;
  }
  return output;
}

for (const text of ['linear', 'linear:rule=gated', 'linear:rule=delta', 'linear:rule=gated-delta', 'linear:rule=gated,decay=0.5']) {
  test(`${text}: f32 arithmetic passes with room, and would not pass by a hundred times less`, () => {
    const shape = { batch: 1, heads: 1, kvHeads: 1, queries: 600, keys: 600, headDim: 16, causal: true, dtype: 'f32' } as const;
    const inputs = createCaseInputs({ shape, mask: 'none', values: 'normal', seed: 9 });
    const { parameters } = parseVariant(text);
    const output = roundedOutput(inputs, linearSettings(parameters));
    const { reason, relative, budget, worst } = judgeOutput(output, inputs, findVariant('linear'), parameters, { rows: 'all' });
    assert.equal(reason, undefined);
    assert.ok(relative > budget / 100 && relative < budget / 3, `${relative} of ${budget}`);
    assert.ok(worst.ofAllowance < 3, `${worst.ofAllowance} allowances`);
  });
}
