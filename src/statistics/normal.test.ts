import assert from 'node:assert/strict';
import { test } from 'node:test';
import { normalCdf, normalQuantile } from './normal.ts';

test('Φ takes its published values, in the centre and far into both tails', () => {
  // ½·erfc(−z/√2), by the C library's erfc.
  for (const [z, expected] of [
    [0, 0.5],
    [1, 0.841344746068543],
    [-1, 0.158655253931457],
    [1.96, 0.975002104851779],
    [-2, 0.0227501319481792],
    [-3, 0.00134989803163009],
    [-6, 9.86587645037698e-10],
    [-10, 7.61985302416053e-24],
  ] as const) {
    assert.ok(Math.abs(normalCdf(z) / expected - 1) < 1e-12, `Φ(${z}) = ${normalCdf(z)}`);
  }
});

test('the two formulas of Φ meet at three standard deviations', () => {
  const step = 1e-9;
  const slope = (normalCdf(-3 + step) - normalCdf(-3 - step)) / (2 * step);
  assert.ok(Math.abs(slope - 0.00443184841) < 1e-6, String(slope));
});

test('Φ⁻¹ takes its published values and undoes Φ', () => {
  assert.ok(Math.abs(normalQuantile(0.975) - 1.959963984540054) < 1e-13);
  assert.ok(Math.abs(normalQuantile(0.9) - 1.2815515655446004) < 1e-13);
  assert.ok(Math.abs(normalQuantile(0.5)) < 1e-15);
  for (const p of [1e-200, 1e-20, 1e-6, 0.01, 0.3, 0.5, 0.7, 0.999]) {
    assert.ok(Math.abs(normalCdf(normalQuantile(p)) / p - 1) < 1e-10, `p = ${p}`);
  }
});

test('Φ⁻¹ is infinite at 0 and 1 and refuses what is no probability', () => {
  assert.equal(normalQuantile(0), -Infinity);
  assert.equal(normalQuantile(1), Infinity);
  for (const p of [-0.1, 1.1, NaN]) assert.throws(() => normalQuantile(p), RangeError);
});
