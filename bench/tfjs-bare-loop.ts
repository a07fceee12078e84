import * as tf from '@tensorflow/tfjs-core';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { fileURLToPath } from 'node:url';
import { createInputs } from '../src/inputs/create-inputs.ts';
import { serveBareLoop } from './bare-arm.ts';

// Dense attention as one writes it in tfjs, in a bare loop over a cell's inputs.
await serveBareLoop(async ({ inputs: kind, shape, seed }) => {
  const { inputs } = await createInputs({ kind, shape, seed, wantsGate: false });
  const { batch, heads, queries, keys, headDim } = shape;
  setWasmPaths(fileURLToPath(new URL('.', import.meta.resolve('@tensorflow/tfjs-backend-wasm'))));
  await tf.setBackend('wasm');
  const query = tf.tensor4d(inputs.query, [batch, heads, queries, headDim]);
  const key = tf.tensor4d(inputs.key, [batch, heads, keys, headDim]);
  const value = tf.tensor4d(inputs.value, [batch, heads, keys, headDim]);
  return () => tf.tidy(() => tf.matMul(tf.softmax(tf.matMul(tf.mul(query, inputs.scale), key, false, true)), value)).dispose();
});
