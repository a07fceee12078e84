import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseNvidiaSmi } from './gpus.ts';

test('every line of nvidia-smi is a device; a size that it does not tell is unknown', () => {
  const stdout = 'NVIDIA H100 80GB HBM3, 550.54.15, 81559\nNVIDIA Thor, 580.00, [N/A]\n';
  assert.deepEqual(parseNvidiaSmi(stdout), [
    { model: 'NVIDIA H100 80GB HBM3', vendor: 'NVIDIA', driver: '550.54.15', memoryBytes: 81559 * 2 ** 20 },
    { model: 'NVIDIA Thor', vendor: 'NVIDIA', driver: '580.00', memoryBytes: null },
  ]);
  assert.deepEqual(parseNvidiaSmi('\n'), []);
});
