import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { AttentionInputs } from '../contract/inputs.ts';
import { kvHeadOf, positionOffset } from '../contract/shape.ts';
import type { Shape } from '../contract/shape.ts';
import { drawCalibrated } from './calibrated.ts';
import { dealHeadKinds, headKinds } from './head-kinds.ts';
import { layOutHead, pairAmplitudes } from './logit-parts.ts';

const base: Shape = { batch: 1, heads: 12, kvHeads: 12, queries: 1024, keys: 1024, headDim: 64, causal: true, dtype: 'f32' };

/** The logits of one query, float64: every key up to its position. */
function logitsOf(inputs: AttentionInputs, at: { batch?: number; head: number; query: number }): Float64Array {
  const { shape, query, key, scale } = inputs;
  const batch = at.batch ?? 0;
  const queryStart = ((batch * shape.heads + at.head) * shape.queries + at.query) * shape.headDim;
  const keyStart = (batch * shape.kvHeads + kvHeadOf(shape, at.head)) * shape.keys * shape.headDim;
  return Float64Array.from({ length: Math.max(0, at.query + positionOffset(shape) + 1) }, (_, row) => {
    let sum = 0;
    for (let dim = 0; dim < shape.headDim; dim += 1) sum += query[queryStart + dim]! * key[keyStart + row * shape.headDim + dim]!;
    return sum * scale;
  });
}

function softmax(logits: Float64Array): Float64Array {
  const maximum = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const weights = logits.map((logit) => Math.exp(logit - maximum));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / sum);
}

/** The number of keys in the smallest set that holds `mass`. */
function supportOf(probabilities: Float64Array, mass: number): number {
  const falling = probabilities.toSorted((a, b) => b - a);
  let held = 0;
  let count = 0;
  while (held < mass && count < falling.length) held += falling[count++]!;
  return count;
}

function statisticsOf(inputs: AttentionInputs, queries: (head: number) => readonly number[]) {
  const supports = [0, 0, 0];
  let [allowed, rows, first, local] = [0, 0, 0, 0];
  for (let head = 0; head < inputs.shape.heads; head += 1) {
    for (const query of queries(head)) {
      const probabilities = softmax(logitsOf(inputs, { head, query }));
      for (const [index, mass] of [0.9, 0.95, 0.99].entries()) supports[index]! += supportOf(probabilities, mass);
      allowed += probabilities.length;
      rows += 1;
      first += probabilities[0]!;
      local += probabilities.subarray(Math.max(0, query - 64)).reduce((a, b) => a + b, 0);
    }
  }
  return { wasted: supports.map((support) => 1 - support / allowed), first: first / rows, local: local / rows };
}

function assertNear(actual: number, expected: number, within: number): void {
  assert.ok(Math.abs(actual - expected) <= within, `${actual} is not within ${within} of ${expected}`);
}

function hashOf(...tensors: Float32Array[]): string {
  const hash = createHash('sha256');
  for (const tensor of tensors) hash.update(new Uint8Array(tensor.buffer, tensor.byteOffset, tensor.byteLength));
  return hash.digest('hex');
}

test('calibrated attention wastes, sinks and stays local as a trained causal model does at 1024 keys', () => {
  // Rows of the second half: in the first 64 all mass is local whatever the inputs.
  const late = (head: number): number[] => Array.from({ length: 32 }, (_, row) => 512 + row * 16 + head);
  const { wasted, first, local } = statisticsOf(drawCalibrated(base, 1), late);
  for (const [index, expected] of [0.93, 0.91, 0.84].entries()) assertNear(wasted[index]!, expected, 0.05);
  assertNear(first, 0.39, 0.05);
  assertNear(local, 0.3, 0.05);
});

test('a logit is the sum of its parts: with content aside, position and bias are exact', () => {
  const shape: Shape = { ...base, heads: 1, kvHeads: 1, queries: 40, keys: 40 };
  const inputs = drawCalibrated(shape, 3);
  const { content, pairs } = layOutHead(64);
  for (const tensor of [inputs.query, inputs.key]) tensor.forEach((_, index) => (tensor[index]! *= index % 64 < content ? 0 : 1));
  const [kind] = dealHeadKinds(1);
  const amplitudes = pairAmplitudes(kind!, pairs);
  const logits = logitsOf(inputs, { head: 0, query: 39 });
  for (const key of [0, 1, 3]) {
    const position = amplitudes.reduce((sum, amplitude, pair) => sum + amplitude * Math.cos((Math.PI / 1.5 ** pair) * (39 - key)), 0);
    assertNear(logits[key]!, position + (key === 0 ? 11.5 : 2.3), 1e-5);
  }
});

test('content has the deviation of its kind', () => {
  const shape: Shape = { ...base, heads: 1, kvHeads: 1, queries: 512, keys: 512 };
  const inputs = drawCalibrated(shape, 5);
  const { content } = layOutHead(64);
  for (const tensor of [inputs.query, inputs.key]) tensor.forEach((_, index) => (tensor[index]! *= index % 64 < content ? 1 : 0));
  let [sum, count] = [0, 0];
  for (let query = 300; query < 512; query += 1) {
    for (const logit of logitsOf(inputs, { head: 0, query }).subarray(0, 290)) {
      sum += logit * logit;
      count += 1;
    }
  }
  assertNear(Math.sqrt(sum / count), 1.5, 0.1);
});

test('2 % of keys are heavy hitters, within U(.5, 1.5) of their strength', () => {
  const shape: Shape = { ...base, heads: 1, kvHeads: 1, queries: 1, keys: 20_000 };
  const { key } = drawCalibrated(shape, 7);
  const { bias } = layOutHead(64);
  const hitters = Array.from({ length: 19_996 }, (_, row) => key[(row + 4) * 64 + bias]!).filter((strength) => strength !== 0);
  assertNear(hitters.length / 19_996, 0.02, 0.004);
  assert.ok(hitters.every((strength) => strength >= 1 && strength < 3));
  assertNear(hitters.reduce((a, b) => a + b, 0) / hitters.length, 2, 0.1);
});

test("the sink's value is 0.15 of a unit normal row", () => {
  const norm = (row: Float32Array): number => Math.sqrt(row.reduce((sum, x) => sum + x * x, 0) / row.length);
  const { value } = drawCalibrated({ ...base, queries: 8, keys: 8, headDim: 4096, heads: 1, kvHeads: 1 }, 1);
  assertNear(norm(value.subarray(0, 4096)), 0.15, 0.02);
  assertNear(norm(value.subarray(4096, 8192)), 1, 0.05);
});

test('head kinds are dealt by largest remainder, a tie going to the earlier kind', () => {
  const counts = (heads: number): number[] => headKinds.map((kind) => dealHeadKinds(heads).filter((dealt) => dealt === kind).length);
  assert.deepEqual(counts(12), [3, 5, 2, 1, 1]);
  assert.deepEqual(counts(24), [6, 10, 4, 2, 2]);
  assert.deepEqual(counts(8), [2, 3, 1, 1, 1]);
  assert.deepEqual(counts(6), [2, 3, 1, 0, 0]);
  assert.deepEqual(counts(1), [0, 1, 0, 0, 0]);
  for (let heads = 1; heads < 50; heads += 1) assert.equal(dealHeadKinds(heads).length, heads);
});

test('dimensions shrink with headDim and never overflow it', () => {
  assert.deepEqual(layOutHead(64), { content: 24, pairs: 16, bias: 56 });
  assert.deepEqual(layOutHead(32), { content: 12, pairs: 9, bias: 30 });
  assert.deepEqual(layOutHead(4), { content: 1, pairs: 1, bias: 3 });
  assert.deepEqual(layOutHead(1), { content: 0, pairs: 0, bias: 0 });
  for (let headDim = 1; headDim <= 130; headDim += 1) assert.ok(layOutHead(headDim).bias < headDim);
});

test('every head dimension and length gives finite tensors of its shape', () => {
  for (const headDim of [1, 2, 3, 4, 5, 7, 8, 63, 128]) {
    for (const [queries, keys] of [
      [1, 1],
      [7, 3],
      [2, 9],
    ] as const) {
      const inputs = drawCalibrated({ ...base, batch: 2, heads: 4, kvHeads: 2, queries, keys, headDim }, 1);
      assert.equal(inputs.query.length, 2 * 4 * queries * headDim);
      assert.equal(inputs.key.length, 2 * 2 * keys * headDim);
      for (const tensor of [inputs.query, inputs.key, inputs.value]) assert.ok(tensor.every(Number.isFinite));
    }
  }
});

test('query i stands at position i + keys − queries', () => {
  const whole = drawCalibrated({ ...base, heads: 1, kvHeads: 1, queries: 9, keys: 9 }, 1);
  const tail = drawCalibrated({ ...base, heads: 1, kvHeads: 1, queries: 2, keys: 9 }, 1);
  const { content, pairs } = layOutHead(64);
  const waves = (query: Float32Array, row: number) => query.subarray(row * 64 + content, row * 64 + content + 2 * pairs);
  assert.deepEqual(waves(tail.query, 0), waves(whole.query, 7));
  assert.deepEqual(waves(tail.query, 1), waves(whole.query, 8));
  assert.notDeepEqual(waves(tail.query, 1), waves(whole.query, 7));
});

test('queries of one group share position and kind, but not noise', () => {
  const { query } = drawCalibrated({ ...base, heads: 4, kvHeads: 2, queries: 5, keys: 5 }, 1);
  const { content } = layOutHead(64);
  const row = (head: number) => query.subarray((head * 5 + 3) * 64, (head * 5 + 4) * 64);
  assert.deepEqual(row(0).subarray(content), row(1).subarray(content));
  assert.notDeepEqual(row(0).subarray(0, content), row(1).subarray(0, content));
  assert.notDeepEqual(row(1).subarray(content), row(2).subarray(content));
});

test('content of one token agrees by copy: strongly in retrieval heads, hardly in local ones', () => {
  const { query, key } = drawCalibrated({ ...base, queries: 256, keys: 256 }, 1);
  const ownLogit = (head: number): number => {
    let sum = 0;
    for (let index = head * 256 * 64; index < (head + 1) * 256 * 64; index += 1) {
      if (index % 64 < layOutHead(64).content) sum += query[index]! * key[index]!;
    }
    return sum / 256 / Math.sqrt(64);
  };
  // copy·σ·√24, up to the norms of the few most frequent tokens' embeddings.
  assertNear(ownLogit(11), 0.7 * 3.5 * Math.sqrt(24), 3);
  assertNear(ownLogit(0), 0.1 * 1.2 * Math.sqrt(24), 0.3);
});

test('a longer draw begins with the shorter one', () => {
  const short = drawCalibrated({ ...base, heads: 2, kvHeads: 2, queries: 50, keys: 50 }, 1);
  const long = drawCalibrated({ ...base, heads: 2, kvHeads: 2, queries: 90, keys: 90 }, 1);
  for (const name of ['query', 'key', 'value'] as const) {
    assert.deepEqual(short[name].subarray(0, 50 * 64), long[name].subarray(0, 50 * 64));
    assert.deepEqual(short[name].subarray(50 * 64), long[name].subarray(90 * 64, 140 * 64));
  }
});

test('batch elements and seeds differ', () => {
  const shape: Shape = { ...base, batch: 2, heads: 1, kvHeads: 1, queries: 8, keys: 8 };
  const inputs = drawCalibrated(shape, 1);
  for (const tensor of [inputs.query, inputs.key, inputs.value]) assert.notDeepEqual(tensor.subarray(0, 512), tensor.subarray(512));
  assert.notDeepEqual(inputs.query, drawCalibrated(shape, 2).query);
});

test('the same seed gives the same bytes', () => {
  const shape: Shape = { ...base, batch: 2, heads: 10, kvHeads: 5, queries: 33, keys: 47, headDim: 24 };
  const hashes = (['f32', 'f16', 'bf16'] as const).map((dtype) => {
    const { query, key, value } = drawCalibrated({ ...shape, dtype }, 42);
    return hashOf(query, key, value);
  });
  assert.deepEqual(hashes, [
    '275265156783aa9c078e6b2d196136cc1ce4c8195fb4899987e679b10795482b',
    '65d8c6f0f2d22a87e829979d260ac9328b8c8ecd1e37688cc55a56bcb8a237a3',
    '3c3f3a290571807b9a1ba08e70419b3dbb63491872c1f032306c0aee905aaecb',
  ]);
});
