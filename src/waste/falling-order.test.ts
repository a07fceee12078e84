import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededGenerator } from '../statistics/resample.ts';
import { FallingOrder } from './falling-order.ts';

function orderOf(deficits: readonly number[], capacity = deficits.length): number[] {
  const order = new FallingOrder(capacity);
  order.sort(Float64Array.from(deficits), deficits.length);
  return [...order.entries.subarray(0, deficits.length)];
}

function expected(deficits: readonly number[]): number[] {
  return deficits.map((_, entry) => entry).sort((a, b) => deficits[a]! - deficits[b]! || a - b);
}

/** Uniform on [0, 1), not sorted. */
function uniforms(count: number): number[] {
  const generator = seededGenerator(count, 'order');
  return Array.from({ length: count }, () => (generator.next() >>> 0) / 0x1_0000_0000);
}

test('entries come in ascending order of their deficits, a tie going to the earlier', () => {
  assert.deepEqual(orderOf([3, 0, 1, 0, 2, 1]), [1, 3, 2, 5, 4, 0]);
  assert.deepEqual(orderOf([]), []);
  assert.deepEqual(orderOf([7]), [0]);
  assert.deepEqual(orderOf([0, 0, 0]), [0, 1, 2]);
  assert.deepEqual(orderOf([5, 5, 5, 5]), [0, 1, 2, 3]);
});

test('infinite deficits come last, in order', () => {
  assert.deepEqual(orderOf([Infinity, 1, Infinity, 0]), [3, 1, 0, 2]);
  assert.deepEqual(orderOf([Infinity, 1e300, 1e308, 0]), [3, 1, 2, 0]);
});

test('every spread of deficits is sorted like a comparator sorts it', () => {
  for (const [name, deficits] of Object.entries({
    spread: uniforms(1000),
    'spread beyond the range of the buckets': uniforms(1000).map((u) => 500 * u),
    'crowded into one bucket beside an outlier': [...uniforms(500).map((u) => 10 + 1e-3 * u), 0, 60],
    'crowded beyond the range of the buckets': uniforms(500).map((u) => 1e6 + u),
    'many ties': uniforms(1000).map((u) => Math.floor(20 * u)),
    'tiny ones': uniforms(300).map((u) => 1e-300 * u),
  })) {
    assert.deepEqual(orderOf(deficits), expected(deficits), name);
  }
});

test('a shorter row after a longer one is sorted on its own', () => {
  const order = new FallingOrder(8);
  order.sort(Float64Array.from([7, 6, 5, 4, 3, 2, 1, 0]), 8);
  order.sort(Float64Array.from([2, 1, 3]), 3);
  assert.deepEqual([...order.entries.subarray(0, 3)], [1, 0, 2]);
});
