import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findVariant } from '../variants/index.ts';
import { measureWaste } from './measure-waste.ts';

test('memory grows far less than one matrix of 4096² at 8 heads of 4096 keys', () => {
  const shape = { batch: 1, heads: 8, kvHeads: 8, queries: 4096, keys: 4096, headDim: 64, causal: true, dtype: 'f32' } as const;
  const size = 8 * 4096 * 64;
  const wave = (factor: number): Float32Array => Float32Array.from({ length: size }, (_, index) => Math.sin(factor * index));
  const inputs = { shape, query: wave(1.1), key: wave(1.7), value: wave(2.3), scale: 1 / 8 };
  const [dense, topk] = [findVariant('dense'), findVariant('topk')];
  const before = process.memoryUsage().rss;
  const request = { inputs, inputsName: 'waves', variant: topk, parameters: { k: 32 }, dense };
  measureWaste({ ...request, rows: { count: 128, seed: 1 } });
  // maxRSS counts KiB over the whole life of the process: the growth is overstated, never hidden. One f64 matrix is 134 MB.
  const grown = process.resourceUsage().maxRSS * 1024 - before;
  assert.ok(grown < 100e6, `${(grown / 1e6).toFixed(0)} MB`);
});
