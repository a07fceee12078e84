import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adapters } from '../../adapters/index.ts';
import { readSuite } from '../contract/suite.ts';
import { planCells } from '../measure/plan-cells.ts';
import { checkGates, rulesOf } from './rules-of.ts';

const suiteWith = (gates: readonly object[]) =>
  readSuite(
    { name: 'rules', matrix: { variants: ['dense.fused', 'window:w=16'], backends: ['onnx-cpu'], lengths: [64, 128] }, gates },
    'rules',
  );

async function marginsOf(gates: readonly object[], today = '2026-01-01'): Promise<Record<string, number[]>> {
  const suite = suiteWith(gates);
  const plans = await planCells(suite, adapters);
  return Object.fromEntries(
    plans.map((plan) => [
      `${plan.cell.variant.name} ${plan.cell.shape.queries}`,
      rulesOf(plan, suite.gates, today).map(({ margin }) => margin),
    ]),
  );
}

test('the most specific gate of a metric judges a cell; of equals, the later', async () => {
  const margins = await marginsOf([
    { metric: 'latency', margin: 0.1 },
    { select: { variant: 'window:w=16', length: 128 }, metric: 'latency', margin: 0.4 },
    { select: { length: 128 }, metric: 'latency', margin: 0.2 },
    { select: { backend: 'onnx-cpu' }, metric: 'latency', margin: 0.3 },
    { select: { variant: 'window.tiled:w=16' }, metric: 'error', margin: 0.5 },
  ]);
  assert.deepEqual(margins, { 'dense 64': [0.3], 'dense 128': [0.3], 'window 64': [0.3, 0.5], 'window 128': [0.4, 0.5] });
});

test('a gate decides up to the day that it expires on', async () => {
  const suite = suiteWith([{ metric: 'latency', expires: '2026-03-01' }]);
  const [plan] = await planCells(suite, adapters);
  const decides = (today: string) => rulesOf(plan!, suite.gates, today)[0]!.decides;
  assert.deepEqual([decides('2026-02-28'), decides('2026-03-01'), decides('2026-03-02')], [true, true, false]);
});

test('a suite without gates, and a gate that selects nothing, are refused', async () => {
  const plans = await planCells(suiteWith([]), adapters);
  assert.throws(() => checkGates(suiteWith([]), plans), { code: 'INVALID_SUITE' });
  const stray = suiteWith([{ select: { variant: 'window:w=17' }, metric: 'latency' }]);
  assert.throws(() => checkGates(stray, plans), { code: 'INVALID_SUITE', message: /gates\.0/ });
});

test('a gate of the quality, which no cell has, is refused', () => {
  assert.throws(() => suiteWith([{ metric: 'quality' }]), { code: 'INVALID_SUITE', message: /rules: gates\.0\.metric: / });
});
