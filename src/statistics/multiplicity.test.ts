import assert from 'node:assert/strict';
import { test } from 'node:test';
import { benjaminiHochberg, holm } from './multiplicity.ts';

/** The fifteen p-values of Benjamini and Hochberg's §4 (JRSS B 57, 1995), out of order. */
const published = [0.0344, 0.0001, 0.0459, 0.0004, 0.324, 0.0019, 0.4262, 0.0095, 0.5719, 0.0201, 0.6528, 0.0278, 0.759, 0.0298, 1];

function near(actual: readonly number[], expected: readonly number[]): void {
  assert.equal(actual.length, expected.length);
  for (const [index, value] of expected.entries()) assert.ok(Math.abs(actual[index]! - value) < 1e-12, `${index}: ${actual[index]}`);
}

test('both adjust the textbook example of four in the order given', () => {
  near(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02]);
  near(benjaminiHochberg([0.01, 0.04, 0.03, 0.005]), [0.02, 0.04, 0.04, 0.02]);
});

test('Benjamini and Hochberg’s own example rejects four at 5 %, Holm three', () => {
  const rejected = (adjusted: readonly number[]) => published.filter((_, index) => adjusted[index]! <= 0.05).toSorted((a, b) => a - b);
  assert.deepEqual(rejected(benjaminiHochberg(published)), [0.0001, 0.0004, 0.0019, 0.0095]);
  assert.deepEqual(rejected(holm(published)), [0.0001, 0.0004, 0.0019]);
});

test('adjusted values never fall below the raw ones or rise above 1, keep their order, and ties stay ties', () => {
  const raw = [0.2, 0.03, 0.03, 0.9, 0, 1, 0.5];
  for (const adjust of [holm, benjaminiHochberg]) {
    const adjusted = adjust(raw);
    for (const [i, p] of raw.entries()) {
      assert.ok(adjusted[i]! >= p && adjusted[i]! <= 1);
      for (const [j, other] of raw.entries()) if (p <= other) assert.ok(adjusted[i]! <= adjusted[j]!);
    }
    assert.equal(adjusted[1], adjusted[2]);
  }
});

test('one test needs no adjustment, none gives none, and what is no probability is refused', () => {
  for (const adjust of [holm, benjaminiHochberg]) {
    assert.deepEqual(adjust([0.04]), [0.04]);
    assert.deepEqual(adjust([]), []);
    for (const wrong of [NaN, -0.01, 1.01]) assert.throws(() => adjust([0.1, wrong]), RangeError);
  }
});
