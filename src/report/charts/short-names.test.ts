import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shortNames } from './short-names.ts';

test('names that fit stay whole, long ones keep both ends', () => {
  const long = 'block-topk.blocks:block=64,blocks=8,causal=true';
  assert.deepEqual(
    [...shortNames(['dense.fused', long], 20)],
    [
      ['dense.fused', 'dense.fused'],
      [long, 'block-topk…usal=true'],
    ],
  );
});

test('names that differ have labels that differ, wherever they differ, and none is longer than asked for', () => {
  const ends = (middle: string) => `hierarchical.batched:${middle},levels=3`;
  const names = Array.from({ length: 120 }, (_, index) => ends(`ratio=${String(index).padStart(12, '0')}`));
  const labels = shortNames([...names, ends('').slice(0, 24), 'hierarchica…,levels=3'], 24);
  assert.equal(new Set(labels.values()).size, names.length + 2);
  for (const label of labels.values()) assert.ok(label.length <= 24, label);
});
