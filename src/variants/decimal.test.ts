import assert from 'node:assert/strict';
import test from 'node:test';
import { ceilTimes, complementOf, decimalOf } from './decimal.ts';

test('a fraction rounds up as its decimal digits say, not as binary numbers do', () => {
  assert.deepEqual([Math.ceil(0.07 * 100), Math.ceil((1 - 0.7) * 10)], [8, 4]);
  assert.equal(ceilTimes(decimalOf(0.07), 100), 7);
  assert.equal(ceilTimes(decimalOf(0.1), 30), 3);
  assert.equal(ceilTimes(complementOf(decimalOf(0.7)), 10), 3);
  assert.equal(ceilTimes(complementOf(decimalOf(0.3)), 1000), 700);
});

test('every thousandth of every count up to 200 rounds up exactly', () => {
  for (let thousandths = 0; thousandths <= 1000; thousandths += 7) {
    for (let count = 0; count <= 200; count++) {
      const whole = Math.floor((thousandths * count) / 1000);
      const expected = (thousandths * count) % 1000 === 0 ? whole : whole + 1;
      assert.equal(ceilTimes(decimalOf(thousandths / 1000), count), expected, `${thousandths}/1000 of ${count}`);
    }
  }
});

test('0, 1 and fractions in exponent notation are exact too', () => {
  assert.deepEqual(
    [0, 1, 1e-7, 1.5e-7, 2e21].map((x) => ceilTimes(decimalOf(x), 2)),
    [0, 2, 1, 1, 4e21],
  );
  assert.equal(ceilTimes(decimalOf(1e-7), 10_000_000), 1);
  assert.equal(ceilTimes(decimalOf(1e-7), 10_000_001), 2);
});
