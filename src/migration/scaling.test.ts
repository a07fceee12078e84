import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adapter } from '../../adapters/torch/adapter.ts';
import { temporaryFolder } from '../processes/temporary.ts';
import type { Migration } from './migration.ts';
import { measureScaling } from './scaling.ts';

test('data without items to train on end no migration: scaling is told as not measured, attention by attention', async () => {
  const recover = { steps: 1, labels: 1, rank: 1, learningRate: 1, batch: 2, ranks: 2 };
  const site = { site: 0, node: 'attention', swappable: true, selfAttention: true, causal: false, mask: 'none' };
  const migration = {
    settings: { lengths: [8], itemsPerLength: 1, seed: 1, threads: 1, candidates: ['window:w=2'], recover },
    data: { items: async () => [{ id: '0', length: 8, feeds: { x: { type: 'float32', dims: [1], data: Float32Array.of(1) } } }] },
    items: new Map(),
    sites: { swappable: new Map([[0, { site }]]) },
    runner: { adapter, backend: 'torch-cpu' },
    state: { folder: await temporaryFolder('scaling'), step: (_: string, compute: () => Promise<unknown>) => compute() },
  } as unknown as Migration;
  const { attentions } = await measureScaling(migration);
  const failure = '--recover: the data has no items besides the 1 used for judging and tuning';
  assert.deepEqual(
    attentions,
    ['dense.fused', 'window.tiled:w=2'].map((candidate) => ({ candidate, failure })),
  );
});
