import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawGaussian } from '../inputs/gaussian.ts';
import { findVariant } from '../variants/index.ts';
import type { WasteFigure } from './schema.ts';
import { measureWaste } from './measure-waste.ts';
import type { RowSelection } from './select-rows.ts';
import { wilsonInterval } from './sink.ts';

const dense = findVariant('dense');

/** The sink rate of `heads` heads in which every query of head h looks to key `sinks[h]`, where that is given. */
function rateOf(keys: number, sinks: readonly (number | undefined)[], rows: RowSelection = 'all'): WasteFigure | null {
  const heads = sinks.length;
  const shape = { batch: 1, heads, kvHeads: heads, queries: keys, keys, headDim: 4, causal: true, dtype: 'f32' } as const;
  const inputs = drawGaussian(shape, 2);
  for (let at = 0; at < inputs.query.length; at += 4) inputs.query[at] = 3;
  for (const [head, sink] of sinks.entries()) if (sink !== undefined) inputs.key[(head * keys + sink) * 4] = 20;
  return measureWaste({ inputs, inputsName: 'gaussian', variant: dense, parameters: {}, dense, rows }).overall.sinkRate;
}

test('the sink rate is the share of heads with a sink anywhere but among the last 63 keys', () => {
  assert.deepEqual(rateOf(200, [0, undefined, 136, 137, undefined])!.numerator, { name: 'headsWithSink', value: 2 });
  assert.deepEqual(rateOf(200, [0, undefined, 136, 137, undefined])!.denominator, { name: 'heads', value: 5 });
});

test('sinks need 128 keys to be told from the rest', () => {
  assert.equal(rateOf(127, [0]), null);
  assert.equal(rateOf(128, [0])!.value, 1);
});

test('sampled rows find sinks of early keys, and claim none where few rows follow', () => {
  assert.equal(rateOf(600, [0, 5, undefined], { count: 240, seed: 1 })!.value, 2 / 3);
  assert.equal(rateOf(600, [0, 5, undefined], { count: 30, seed: 1 }), null);
});

test('the interval of a share of heads is Wilson’s', () => {
  const { low, high } = wilsonInterval(3, 8);
  // Centre and half width at z = 1.96: (.375 + .24)/(1.48) ± …
  assert.ok(Math.abs(low - 0.1368) < 1e-4 && Math.abs(high - 0.6943) < 1e-4, `${low} ${high}`);
  assert.equal(wilsonInterval(0, 5).low, 0);
  assert.equal(wilsonInterval(5, 5).high, 1);
});
