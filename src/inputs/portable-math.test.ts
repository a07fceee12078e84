import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cosSinPi, exp, ln } from './portable-math.ts';

test('ln agrees with the engine to a few units of the last place', () => {
  for (let step = -700; step <= 700; step += 1) {
    const x = 2 ** (step / 10) * (1 + Math.abs(step) / 1001);
    assert.ok(Math.abs(ln(x) - Math.log(x)) <= 1e-15 * Math.max(1, Math.abs(Math.log(x))), `ln(${x}) = ${ln(x)}`);
  }
  assert.equal(ln(1), 0);
});

test('exp agrees with the engine to 1e-12', () => {
  for (let x = -50; x <= 50; x += 0.37) assert.ok(Math.abs(exp(x) / Math.exp(x) - 1) < 1e-12, `exp(${x}) = ${exp(x)}`);
  assert.equal(exp(0), 1);
});

test('cosSinPi agrees with the engine on every quarter and is exact at quarter turns', () => {
  for (let x = -8; x <= 8; x += 1 / 64) {
    const [cos, sin] = cosSinPi(x);
    assert.ok(Math.abs(cos - Math.cos(Math.PI * x)) < 1e-14 && Math.abs(sin - Math.sin(Math.PI * x)) < 1e-14, `at ${x}: ${cos}, ${sin}`);
  }
  assert.deepEqual(
    [0, 0.5, 1, 1.5, -0.5, 4096].map((x) => cosSinPi(x).map((part) => part + 0)),
    [
      [1, 0],
      [0, 1],
      [-1, 0],
      [0, -1],
      [0, -1],
      [1, 0],
    ],
  );
});
