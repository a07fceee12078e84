import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { AttnswapError } from '../contract/errors.ts';
import type { Shape } from '../contract/shape.ts';
import { drawGate } from './gate.ts';
import { drawGaussian } from './gaussian.ts';

const base: Shape = { batch: 2, heads: 4, kvHeads: 2, queries: 30, keys: 50, headDim: 16, causal: false, dtype: 'f32' };

function hashOf(...tensors: Float32Array[]): string {
  const hash = createHash('sha256');
  for (const tensor of tensors) hash.update(new Uint8Array(tensor.buffer));
  return hash.digest('hex');
}

function deviationOf(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
}

test('gaussian tensors are unit normal, of their shapes, and differ from one another', () => {
  const { query, key, value, scale, mask } = drawGaussian(base, 1);
  assert.deepEqual([query.length, key.length, value.length], [2 * 4 * 30 * 16, 2 * 2 * 50 * 16, 2 * 2 * 50 * 16]);
  for (const tensor of [query, key, value]) assert.ok(Math.abs(deviationOf(tensor) - 1) < 0.05);
  assert.notDeepEqual(key, value);
  assert.notDeepEqual(query.subarray(0, 100), key.subarray(0, 100));
  assert.equal(scale, 0.25);
  assert.equal(mask, undefined);
});

test('values are those of the dtype', () => {
  const f32 = drawGaussian(base, 1).query;
  const bf16 = drawGaussian({ ...base, dtype: 'bf16' }, 1).query;
  const bits = new Uint32Array(bf16.buffer);
  assert.ok(bits.every((pattern) => (pattern & 0xffff) === 0));
  assert.ok(bf16.every((x, index) => Math.abs(x - f32[index]!) <= Math.abs(f32[index]!) / 256));
});

test('the same seed gives the same bytes', () => {
  const hashes = (['f32', 'f16', 'bf16'] as const).map((dtype) => {
    const { query, key, value } = drawGaussian({ ...base, dtype }, 42);
    const { u, w, b } = drawGate({ ...base, dtype }, undefined, 42);
    return hashOf(query, key, value, u, w, b);
  });
  assert.deepEqual(hashes, [
    'be4264f41f4ced73b1367c6f57a3297767b9d3c967bb6064814b0bc682e4ec2e',
    'cc5a3a2a74a65172f540564cf74db18251831f858629733cb8a58e41bc7e3e8c',
    'fb62272acef0015308b2f7f571abf9d735e0dcbe7e92560f0fd05e7839b1b75d',
  ]);
});

test('a gate has deviation 1/√headDim, no bias, and a quarter of headDim as its rank', () => {
  const { rank, u, w, b } = drawGate({ ...base, headDim: 64 }, undefined, 1);
  assert.equal(rank, 16);
  assert.deepEqual([u.length, w.length], [4 * 64 * 16, 4 * 64 * 16]);
  for (const tensor of [u, w]) assert.ok(Math.abs(deviationOf(tensor) - 1 / 8) < 0.01);
  assert.notDeepEqual(u, w);
  assert.deepEqual([...b], [0, 0, 0, 0]);
  assert.equal(drawGate({ ...base, headDim: 3 }, undefined, 1).rank, 1);
  assert.equal(drawGate(base, 7, 1).u.length, 4 * 16 * 7);
});

test('impossible ranks and shapes are refused', () => {
  const refused = (code: string) => (error: unknown) => error instanceof AttnswapError && error.code === code;
  for (const rank of [0, -1, 1.5, NaN, 2 ** 40])
    assert.throws(() => drawGate(base, rank, 1), refused('INVALID_PARAMETERS'), `rank ${rank}`);
  const shapes: Partial<Shape>[] = [{ batch: 0 }, { heads: 3 }, { keys: -1 }, { queries: 1.5 }, { headDim: NaN }, { keys: 2 ** 40 }];
  for (const wrong of shapes) {
    assert.throws(() => drawGaussian({ ...base, ...wrong }, 1), refused('INVALID_SHAPE'), JSON.stringify(wrong));
  }
  assert.throws(() => drawGaussian({ ...base, dtype: 'f8' as 'f16' }, 1), refused('INVALID_SHAPE'));
});
