import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AttentionInputs } from '../contract/inputs.ts';
import { findVariant, parseVariant } from '../variants/index.ts';
import { measureScored, scoredFigures } from './measure-scored.ts';
import type { ScoredRow } from './measure-scored.ts';
import type { WasteFigure } from './schema.ts';

const dense = findVariant('dense');

/** One head whose last query weighs keys as `weights` to one another: the logits are their logarithms. */
function inputsOf(weights: readonly number[]): AttentionInputs {
  const keys = weights.length;
  const shape = { batch: 1, heads: 1, kvHeads: 1, queries: keys, keys, headDim: 1, causal: true, dtype: 'f32' } as const;
  const ones = new Float32Array(keys).fill(1);
  return { shape, query: ones, key: Float32Array.from(weights, Math.log), value: ones, scale: 1 };
}

function measure(text: string, weights: readonly number[], rows: readonly ScoredRow[]) {
  const { variant, parameters } = parseVariant(text);
  return measureScored({ inputs: inputsOf(weights), variant: findVariant(variant), parameters, dense, rows }, 0);
}

function holds(figure: WasteFigure | null, value: number, denominator: readonly [name: string, value: number]): void {
  assert.ok(figure !== null && Math.abs(figure.value - value) < 1e-6, `${figure?.value}, expected ${value}`);
  assert.equal(figure.denominator.name, denominator[0]);
  assert.ok(Math.abs(figure.denominator.value - denominator[1]) < 1e-6, `denominator ${figure.denominator.value}`);
}

/** The last row has p = .1, .3, .2, .4. */
const weights = [1, 3, 2, 4];
const last: ScoredRow = { query: 3, relevant: [1] };

test('weights are those of capped logits', () => {
  const capped = weights.map((weight) => Math.exp(2 * Math.atanh(Math.log(weight) / 2)));
  const { variant, parameters } = parseVariant('dense');
  const inputs = { ...inputsOf(capped), softcap: 2 };
  const figures = scoredFigures([measureScored({ inputs, variant: findVariant(variant), parameters, dense, rows: [last] }, 0)], 1);
  holds(figures.labelledWaste, 0.7, ['labelledRows', 1]);
});

test('dense attention wastes what lies off the relevant keys, and misses nothing', () => {
  // Row 3: p = .1, .3, .2, .4: .7 off key 1; 90 % is held by keys 3, 1 and 2. Row 1: p = .25, .75: all of it off key 0 but .25.
  const figures = scoredFigures([measure('dense', weights, [last]), measure('dense', weights, [{ query: 1, relevant: [0] }])], 1);
  holds(figures.labelledWaste, (0.7 + 0.75) / 2, ['labelledRows', 2]);
  holds(figures.wastedCompute.p90, 1 / 6, ['weightedPairs', 6]);
  holds(figures.wastedCompute.p95, 0, ['weightedPairs', 6]);
  assert.deepEqual([figures.missedMass, figures.missedRelevantKeys, figures.missedRelevantMass], [null, null, null]);
});

test('a selection that keeps the relevant key misses none of its mass', () => {
  // Keys 3 and 1 stay, p = 4/7 and 3/7.
  const figures = scoredFigures([measure('topk:k=2', weights, [last])], 1);
  holds(figures.labelledWaste, 4 / 7, ['labelledRows', 1]);
  holds(figures.wastedCompute.p90, 0, ['weightedPairs', 2]);
  holds(figures.missedMass, 0.3, ['denseRows', 1]);
  holds(figures.missedRelevantKeys, 0, ['relevantKeys', 1]);
  holds(figures.missedRelevantMass, 0, ['relevantMass', 0.3]);
  assert.deepEqual([figures.labelledWaste!.low, figures.labelledWaste!.high], [null, null]);
});

test('a selection that drops relevant keys misses them by number and by dense attention’s mass', () => {
  // Window 2: keys 2 and 3, p = 1/3 and 2/3. Relevant are 1 (.3 of dense attention's mass, dropped) and 2 (.2, kept).
  const figures = scoredFigures([measure('window:w=2', weights, [{ query: 3, relevant: [1, 2] }])], 1);
  holds(figures.labelledWaste, 2 / 3, ['labelledRows', 1]);
  holds(figures.missedMass, 0.4, ['denseRows', 1]);
  holds(figures.missedRelevantKeys, 1 / 2, ['relevantKeys', 2]);
  holds(figures.missedRelevantMass, 0.3 / 0.5, ['relevantMass', 0.5]);
});

test('a relevant key inside a pooled block is seen, with an even share of the block’s mass', () => {
  const rows = [{ query: 7, relevant: [1] }];
  const figures = scoredFigures([measure('hierarchical:local=2,region=2,ratio=0:0:1', [1, 1, 1, 1, 1, 1, 1, 1], rows)], 1);
  holds(figures.missedRelevantKeys, 0, ['relevantKeys', 1]);
  holds(figures.labelledWaste, 7 / 8, ['labelledRows', 1]);
});

test('rows whose answer is not known give plain waste alone', () => {
  const figures = scoredFigures([measure('topk:k=2', weights, [{ query: 3, relevant: undefined }])], 1);
  holds(figures.wastedCompute.p90, 0, ['weightedPairs', 2]);
  holds(figures.missedMass, 0.3, ['denseRows', 1]);
  assert.deepEqual([figures.labelledWaste, figures.missedRelevantKeys, figures.missedRelevantMass], [null, null, null]);
});

test('the interval is over items: it has the width of their spread, however many rows each has', () => {
  const often = (row: ScoredRow) => Array.from({ length: 50 }, () => row);
  const items = Array.from({ length: 40 }, (_, item) => measure('dense', weights, often({ query: 3, relevant: [item % 2 === 0 ? 0 : 3] })));
  // Half of the items waste .9, half .6: the mean's standard error is .15/√39.
  const { labelledWaste } = scoredFigures(items, 1);
  holds(labelledWaste, 0.75, ['labelledRows', 2000]);
  const expected = (1.96 * 0.15) / Math.sqrt(39);
  assert.ok(Math.abs(labelledWaste!.high! - 0.75 - expected) < 0.15 * expected, `${labelledWaste!.high}`);
  assert.ok(Math.abs(0.75 - labelledWaste!.low! - expected) < 0.15 * expected, `${labelledWaste!.low}`);
  assert.deepEqual(scoredFigures(items, 1), scoredFigures(items, 1));
});

test('several keys hold an answer: it is unseen where none of them is selected, and mass on any of them is no waste', () => {
  const rows = [{ query: 3, relevant: [0, 1] }];
  // Keys 3 and 1 stay, p = 4/7 and 3/7.
  const figures = scoredFigures([measure('topk:k=2', weights, rows)], 1);
  holds(figures.labelledWaste, 4 / 7, ['labelledRows', 1]);
  holds(figures.missedRelevantKeys, 1 / 2, ['relevantKeys', 2]);
  holds(figures.missedAnswers!, 0, ['answers', 1]);
  const unseen = scoredFigures([measure('topk:k=1', weights, rows)], 1);
  holds(unseen.missedAnswers!, 1, ['answers', 1]);
});

test('groups of keys are told apart at the scored rows, each with its share of mass, pairs and waste', () => {
  const groups = [
    { name: 'image', from: 0, to: 2 },
    { name: 'text', from: 2, to: 4 },
  ];
  const { variant, parameters } = parseVariant('dense');
  const request = { inputs: inputsOf(weights), variant: findVariant(variant), parameters, dense, rows: [last], groups };
  const [image, text] = scoredFigures([measureScored(request, 0)], 1, groups).groups!;
  // p = .1, .3, .2, .4: keys 3, 1 and 2 hold 90 %.
  holds(image!.mass, 0.4, ['rows', 1]);
  holds(image!.pairs, 0.5, ['weightedPairs', 4]);
  holds(image!.wastedCompute.p90, 0.5, ['groupPairs', 2]);
  holds(text!.mass, 0.6, ['rows', 1]);
  holds(text!.wastedCompute.p90, 0, ['groupPairs', 2]);
});
