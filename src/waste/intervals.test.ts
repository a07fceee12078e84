import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawGaussian } from '../inputs/gaussian.ts';
import { findVariant } from '../variants/index.ts';
import type { RowSelection } from './select-rows.ts';
import { measureWaste } from './measure-waste.ts';
import type { WasteFigure, WasteReport } from './schema.ts';

const shape = { batch: 1, heads: 2, kvHeads: 2, queries: 384, keys: 384, headDim: 4, causal: true, dtype: 'f32' } as const;
const dense = findVariant('dense');
const inputs = { ...drawGaussian(shape, 11), scale: 1 };

function measure(rows: RowSelection): WasteReport {
  return measureWaste({ inputs, inputsName: 'gaussian', variant: dense, parameters: {}, dense, kernelScoredPairs: 2 * 384 * 384, rows });
}

function covers(sampled: WasteFigure | null, truth: WasteFigure | null): boolean {
  return sampled!.low! <= truth!.value && truth!.value <= sampled!.high!;
}

const watched = {
  wastedCompute: ({ overall }: WasteReport) => overall.wastedCompute.p95,
  kernelWaste: ({ overall }: WasteReport) => overall.kernelWaste.p90,
  wastedComputeAtError: ({ overall }: WasteReport) => overall.wastedComputeAtError.e05,
  wastedMass: ({ overall }: WasteReport) => overall.wastedMass,
  localMass: ({ overall }: WasteReport) => overall.localMass,
  'wastedCompute without the first token': ({ overall }: WasteReport) => overall.withoutFirstToken.wastedCompute.p95,
  'wastedCompute of one head': ({ heads }: WasteReport) => heads[1]!.figures.wastedCompute.p95,
};

test('intervals of sampled rows cover the value over all rows in about 95 of 100 seeds', () => {
  const truth = measure('all');
  const seeds = 160;
  const samples = Array.from({ length: seeds }, (_, seed) => measure({ count: 80, seed }));
  for (const [name, figure] of Object.entries(watched)) {
    const rate = samples.filter((sample) => covers(figure(sample), figure(truth))).length / seeds;
    // 160 draws at .95 have a standard deviation of .017; a small sample's percentiles cover a little less.
    assert.ok(rate >= 0.9 && rate <= 0.995, `${name}: ${rate}`);
  }
});

test('sampled figures are unbiased: their mean over seeds is the value over all rows', () => {
  const truth = measure('all').overall;
  const samples = Array.from({ length: 40 }, (_, seed) => measure({ count: 80, seed: 1000 + seed }).overall);
  const mean = samples.reduce((total, sample) => total + sample.wastedCompute.p95!.numerator.value / samples.length, 0);
  assert.ok(Math.abs(mean / truth.wastedCompute.p95!.numerator.value - 1) < 0.02, `${mean}`);
});

test('the same request gives the same report, another seed another one', () => {
  assert.deepEqual(measure({ count: 50, seed: 7 }), measure({ count: 50, seed: 7 }));
  assert.deepEqual(measure('all'), measure('all'));
  assert.notDeepEqual(measure({ count: 50, seed: 7 }).overall, measure({ count: 50, seed: 8 }).overall);
});

test('intervals hold their own value and narrow as rows are added', () => {
  const widths = [40, 160, 640].map((count) => {
    const { value, low, high } = measure({ count, seed: 3 }).overall.wastedCompute.p95!;
    assert.ok(low! <= value && value <= high!);
    return high! - low!;
  });
  assert.ok(widths[0]! > 1.3 * widths[1]! && widths[1]! > 1.3 * widths[2]!, widths.join(' '));
});

test('the report says which rows were measured', () => {
  assert.deepEqual(measure({ count: 51, seed: -4 }).rows, { selection: 'sampled', requested: 51, seed: -4, measured: 51, of: 768 });
  assert.deepEqual(measure('all').rows, { selection: 'all', measured: 768, of: 768 });
  assert.deepEqual(measure({ count: 900, seed: 1 }).rows, { selection: 'all', measured: 768, of: 768 });
  const { interval, inputs: name, variant } = measure({ count: 51, seed: -4 });
  assert.deepEqual([interval, name, variant], [{ confidence: 0.95, resamples: 1000, seed: -4 }, 'gaussian', { name: 'dense', params: {} }]);
});
