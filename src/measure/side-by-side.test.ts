import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CellPlan } from './measure-cell.ts';
import { fitSideBySide, fitTwice } from './side-by-side.ts';

const plan = (backend: string, length = 512) => {
  const shape = { batch: 1, heads: 8, kvHeads: 8, queries: length, keys: length, headDim: 64, causal: true, dtype: 'f32' };
  return { cell: { backend, shape } } as CellPlan;
};
const room = { processors: 2, freeBytes: 8e9 };

test('two cells are prepared side by side where processors and memory suffice for both', () => {
  const pair = [plan('onnx-cpu'), plan('tfjs-wasm')];
  assert.ok(fitSideBySide(pair, room));
  assert.ok(!fitSideBySide(pair, { ...room, processors: 1 }));
  assert.ok(!fitSideBySide(pair, { ...room, freeBytes: 3e9 }));
  // 8 × 16384² logits are 8.6 GB, and are written twice by some.
  assert.ok(!fitSideBySide([plan('onnx-cpu'), plan('onnx-cpu', 16_384)], room));
  assert.ok(fitSideBySide([plan('onnx-cpu'), plan('onnx-cpu', 16_384)], { ...room, freeBytes: 64e9 }));
});

test('cells of another device, or of one that is not known, are prepared one after the other', () => {
  for (const backend of ['onnx-cuda', 'tfjs-webgpu', 'tfjs-node-gpu', 'openvino-npu', 'ort-coreml', 'own'])
    assert.ok(!fitSideBySide([plan('onnx-cpu'), plan(backend)], room), backend);
  for (const backend of ['tfjs-node', 'torch-cpu', 'ort-cpu']) assert.ok(fitSideBySide([plan('onnx-cpu'), plan(backend)], room), backend);
});

test('two processes of a known size run at once where processors and memory suffice for both', () => {
  assert.ok(fitTwice(0.5e9, room));
  assert.ok(!fitTwice(0.5e9, { ...room, processors: 1 }));
  assert.ok(!fitTwice(1e9, room));
});
