import * as tf from '@tensorflow/tfjs-core';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { fileURLToPath } from 'node:url';
import type { CellSpec } from '../src/contract/cell.ts';
import { createInputs } from '../src/inputs/create-inputs.ts';

// Dense attention as one writes it in tfjs, in a bare loop over a cell's inputs; prints the median call in nanoseconds.
const cell = JSON.parse(process.argv[2] ?? '{}') as CellSpec;
const { inputs } = await createInputs({ kind: cell.inputs, shape: cell.shape, seed: cell.seed, wantsGate: false });
const { batch, heads, queries, keys, headDim } = inputs.shape;
setWasmPaths(fileURLToPath(new URL('.', import.meta.resolve('@tensorflow/tfjs-backend-wasm'))));
await tf.setBackend('wasm');
const query = tf.tensor4d(inputs.query, [batch, heads, queries, headDim]);
const key = tf.tensor4d(inputs.key, [batch, heads, keys, headDim]);
const value = tf.tensor4d(inputs.value, [batch, heads, keys, headDim]);
const durations: number[] = [];
const start = process.hrtime.bigint();
while (process.hrtime.bigint() - start < 6_000_000_000n) {
  const before = process.hrtime.bigint();
  const output = tf.tidy(() => tf.matMul(tf.softmax(tf.matMul(tf.mul(query, inputs.scale), key, false, true)), value));
  durations.push(Number(process.hrtime.bigint() - before));
  output.dispose();
}
const warm = durations.slice(Math.floor(durations.length / 2)).sort((a, b) => a - b);
console.log(warm[warm.length >> 1]);
