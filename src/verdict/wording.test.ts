import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleComparison, sampleVerdict, sampleWithoutFigures } from './fixtures/sample-verdict.ts';
import { hostLine } from './host-line.ts';
import { aside, baseToNew, changeText, figure, labelsOf, marginText, measured, outcomeText, warningsOf } from './wording.ts';

const effect = (low: number, estimate: number, high: number) => ({ estimate, low, high, confidence: 0.965 });

test('figures are in the unit that reads best', () => {
  assert.equal(figure(12_340_000, 'ns'), '12.3 ms');
  assert.equal(figure(67_108_864, 'bytes'), '67.1 MB');
  assert.equal(figure(67_108_864, 'pairs'), '67.1 M');
  assert.equal(figure(0.77, 'share'), '77 %');
  assert.equal(figure(0.43, 'ratio'), '0.43×');
  assert.equal(figure(5.2e-7, 'relative'), '5.2e-7');
});

test('a unit that both sides share is written once, and a missing side is a dash', () => {
  assert.equal(baseToNew(sampleComparison()), '12.3 → 12.7 ms');
  assert.equal(baseToNew(sampleComparison({ base: 999_000, effect: null })), '999 µs → 12.7 ms');
  // Medians that fell, beside a paired change that rose.
  assert.equal(baseToNew(sampleComparison({ base: 202e6, new: 199e6 })), '202 → 208 ms');
  assert.equal(baseToNew(sampleComparison({ base: 1.003e9, new: 954e6, effect: null })), '1000 → 954 ms');
  assert.equal(baseToNew(sampleComparison({ base: null })), '– → 12.7 ms');
  assert.equal(baseToNew(sampleWithoutFigures({})), '');
  assert.equal(measured(sampleWithoutFigures({})), '');
});

test('a change has a sign and an interval, and none where the figures carry no noise', () => {
  assert.equal(changeText(effect(0.011, 0.032, 0.054)), '+3.2 % [1.1, 5.4]');
  assert.equal(changeText(effect(-0.054, -0.032, -0.0001)), '−3.2 % [−5.4, 0.0]');
  assert.equal(changeText(effect(0.5, 0.5, 0.5)), '+50 %');
  assert.equal(changeText(effect(0, 0, 0)), '0 %');
  assert.equal(changeText(effect(1, 2.5, 99)), '+250 % [100, 9900]');
  assert.equal(marginText(0.05), '5 %');
  assert.equal(marginText(0.0125), '1.25 %');
});

test('a change that the margin lets pass is named', () => {
  const worse = { effect: effect(0.001, 0.02, 0.04) };
  assert.equal(aside(sampleComparison(worse)), 'slower, within the margin');
  assert.equal(aside(sampleComparison({ effect: effect(-0.02, -0.01, -0.001) })), 'faster');
  assert.equal(aside(sampleComparison({ ...worse, metric: 'waste' })), 'worse, within the margin');
  assert.equal(aside(sampleComparison({ ...worse, metric: 'quality', direction: 'higher' })), 'better');
  assert.equal(aside(sampleComparison()), '');
  assert.equal(aside(sampleComparison({ ...worse, outcome: 'regression' })), '');
  assert.equal(outcomeText(sampleComparison({ ...worse, decides: false })), 'pass (slower, within the margin; informational)');
});

test('a label tells cells of one name apart, and says nothing that all share', () => {
  const cell = (queries: number) => `dense.fused onnx-cpu b1 h8/8 q${queries} k${queries} d64 causal f32 calibrated seed1`;
  const comparisons = [512, 4096].map((queries) => sampleComparison({ name: 'dense.fused', cell: cell(queries) }));
  assert.deepEqual([...labelsOf(comparisons).values()], ['dense.fused q512', 'dense.fused q4096']);
  assert.deepEqual([...labelsOf(comparisons.slice(0, 1)).values()], ['dense.fused']);
  const final = [512, 2048].map((length) => sampleComparison({ name: 'final window.tiled', cell: `final window.tiled at ${length}` }));
  assert.deepEqual([...labelsOf(final).values()], ['final window.tiled 512', 'final window.tiled 2048']);
});

test('a warning of many comparisons is said once', () => {
  const comparisons = [sampleComparison({ warnings: ['not calibrated'] }), sampleComparison({ warnings: ['not calibrated', 'other'] })];
  assert.deepEqual(warningsOf(sampleVerdict(comparisons, { warnings: ['load'] })), ['load', 'not calibrated (2 comparisons)', 'other']);
});

test('a host is one line, however little is known of it', () => {
  assert.equal(hostLine(sampleVerdict([]).host), 'Xeon, 2 cores, 25 GB, linux x64, fingerprint abababababab');
  for (const host of [undefined, null, 'host', 7, {}, { cpu: 'none' }]) assert.equal(hostLine(host), 'not described');
});
