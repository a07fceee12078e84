import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawGate } from '../inputs/gate.ts';
import { drawGaussian } from '../inputs/gaussian.ts';
import { findVariant } from '../variants/index.ts';
import { measureWasteInThreads } from './in-threads.ts';
import { measureWaste } from './measure-waste.ts';
import type { WasteRequest } from './request.ts';

const shape = { batch: 2, heads: 3, kvHeads: 1, queries: 90, keys: 8000, headDim: 4, causal: true, dtype: 'f32' } as const;
const mask = new Uint8Array(shape.batch * shape.keys).fill(1).fill(0, 7900, 8000);
const inputs = { ...drawGaussian(shape, 4), mask, gate: drawGate(shape, undefined, 5) };
const dense = findVariant('dense');

function request(part: Partial<WasteRequest> = {}): WasteRequest {
  return { inputs, inputsName: 'gaussian', variant: dense, parameters: {}, dense, rows: 'all', ...part };
}

test('heads measured in threads give the same report to the bit', async () => {
  const gated = findVariant('gated');
  const part = { variant: gated, parameters: gated.parameters.parse({ sparsity: 0.5 }), kernelScoredPairs: 1e7 };
  assert.deepEqual(await measureWasteInThreads(request(part)), measureWaste(request(part)));
});

test('what threads cannot be given is measured all the same', async () => {
  for (const part of [{ relevant: () => [3] }, { variant: { ...dense, name: 'own' } }]) {
    const few = { ...request(part), rows: { count: 600, seed: 1 } };
    assert.deepEqual(await measureWasteInThreads(few), measureWaste(few));
  }
});

test('an error of a thread is the one that measuring without threads gives', async () => {
  const query = inputs.query.slice();
  query[4 * shape.headDim] = NaN;
  const expected = { code: 'INVALID_INPUTS', message: /batch 0, head 0, query 4:/ };
  await assert.rejects(measureWasteInThreads(request({ inputs: { ...inputs, query } })), expected);
});
