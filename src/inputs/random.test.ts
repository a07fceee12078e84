import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { RandomStream } from './random.ts';
import { drawTokens } from './tokens.ts';

test('normal numbers have the moments and the tail of a normal distribution', () => {
  const numbers = new RandomStream(1, 'moments').fillNormal(new Float64Array(400_000));
  const mean = (of: (x: number) => number): number => numbers.reduce((sum, x) => sum + of(x), 0) / numbers.length;
  const near = (actual: number, expected: number, within: number): void => assert.ok(Math.abs(actual - expected) < within, `${actual}`);
  near(
    mean((x) => x),
    0,
    0.007,
  );
  near(
    mean((x) => x * x),
    1,
    0.01,
  );
  near(
    mean((x) => x ** 4),
    3,
    0.08,
  );
  near(
    mean((x) => (Math.abs(x) > 1.959964 ? 1 : 0)),
    0.05,
    0.0016,
  );
});

test('consecutive normal numbers are uncorrelated', () => {
  const numbers = new RandomStream(2, 'pairs').fillNormal(new Float64Array(400_000));
  for (const lag of [1, 2]) {
    const correlation = numbers.subarray(lag).reduce((sum, x, index) => sum + x * numbers[index]!, 0) / numbers.length;
    assert.ok(Math.abs(correlation) < 0.007, `lag ${lag}: ${correlation}`);
  }
});

test('uniform numbers fill [0, 1) evenly', () => {
  const stream = new RandomStream(3, 'uniform');
  const bins = new Array<number>(16).fill(0);
  for (let draw = 0; draw < 160_000; draw += 1) bins[Math.floor(stream.uniform() * 16)]! += 1;
  // χ² with 15 degrees of freedom exceeds 37.7 once in a thousand.
  assert.ok(bins.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0) < 37.7, `${bins.join(' ')}`);
});

test('streams differ by name and by seed, and repeat for the same of both', () => {
  const first = (seed: number, name: string): number => new RandomStream(seed, name).normal();
  assert.equal(first(1, 'query'), first(1, 'query'));
  assert.equal(new Set([first(1, 'query'), first(1, 'key'), first(2, 'query'), first(1, 'query/0')]).size, 4);
});

test('the same seed gives the same bytes', () => {
  const numbers = new RandomStream(42, 'golden').fillNormal(new Float64Array(10_000));
  const bytes = new DataView(new ArrayBuffer(80_000));
  numbers.forEach((x, index) => bytes.setFloat64(index * 8, x, true));
  assert.equal(createHash('sha256').update(bytes).digest('hex'), '0899f66d9ec7750f55ecfe2d54fdbc981e1d21559f98e5967f56d89233d147e0');
});

test('tokens follow Zipf: type t has probability ∝ (t+1)^−1.05', () => {
  const tokens = drawTokens(new RandomStream(1, 'tokens'), 200_000);
  const share = (type: number): number => tokens.filter((token) => token === type).length / tokens.length;
  const total = Array.from({ length: 4096 }, (_, type) => (type + 1) ** -1.05).reduce((a, b) => a + b, 0);
  for (const type of [0, 1, 9]) assert.ok(Math.abs(share(type) * total * (type + 1) ** 1.05 - 1) < 0.05, `type ${type}: ${share(type)}`);
  assert.ok(tokens.every((token) => token < 4096) && tokens.some((token) => token > 4000));
});
