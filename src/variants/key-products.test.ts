import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RandomStream } from '../inputs/random.ts';
import { KeyProducts } from './key-products.ts';

const lengths = [1, 2, 7, 15, 16, 17, 513, 1000];
const widths = [1, 7, 8, 64, 65];

function drawn(length: number, name: string): Float64Array {
  return new RandomStream(1, name).fillNormal(new Float64Array(length));
}

test('products of a query and keys are those of one loop after another, to the bit, whatever the range', () => {
  for (const keys of lengths) {
    for (const headDim of widths) {
      const [queries, vectors] = [Float32Array.from(drawn(3 * headDim, 'query')), Float32Array.from(drawn(keys * headDim, 'key'))];
      const products = new KeyProducts(queries, vectors, headDim);
      for (const [start, end] of [
        // At first as plain loops, then in tiles.
        [0, keys],
        [0, keys],
        [keys >> 1, keys],
        [keys >> 2, (keys >> 2) + 1],
        [Math.min(5, keys - 1), keys],
      ] as const) {
        const expected = Array.from({ length: end - start }, (_, j) => {
          let sum = 0;
          for (let m = 0; m < headDim; m++) sum += queries[headDim + m]! * vectors[(start + j) * headDim + m]!;
          return sum;
        });
        assert.deepEqual([...products.of(1, start, end).subarray(start, end)], expected, `${keys} × ${headDim}, [${start}, ${end})`);
      }
    }
  }
});

test('a short range reads no other keys, and keys are read again only until there are tiles', () => {
  const [keys, headDim] = [1000, 8];
  let reads = 0;
  const counting = new Proxy(Float32Array.from(drawn(keys * headDim, 'key')), {
    get(target, property) {
      if (typeof property === 'string' && /^\d+$/.test(property)) reads++;
      return Reflect.get(target, property, target);
    },
  });
  const products = new KeyProducts(Float32Array.from(drawn(headDim, 'query')), counting, headDim);
  products.of(0, 500, 520);
  assert.equal(reads, 20 * headDim);
  for (let times = 0; times < 5; times++) products.of(0, 0, keys);
  assert.equal(reads, (20 + keys) * headDim);
});
