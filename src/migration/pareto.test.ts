import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawBelow, seededGenerator } from '../statistics/resample.ts';
import { paretoFront } from './pareto.ts';
import type { Objective } from './pareto.ts';

const objectives: Objective[] = [
  { name: 'latency', goal: 'minimise' },
  { name: 'quality', goal: 'maximise' },
];
const of = (name: string, latency: number, quality: number) => ({ name, figures: { latency, quality } });
const names = (list: ReadonlyArray<{ name: string }>) => list.map(({ name }) => name).join(' ');

test('the front is ordered by the first objective, and each dominated candidate names who beats it', () => {
  const result = paretoFront([of('slow', 3, 0.9), of('fast', 1, 0.5), of('bad', 3, 0.4), of('middle', 2, 0.7)], objectives);
  assert.equal(names(result.front), 'fast middle slow');
  assert.deepEqual(
    result.dominated.map(({ candidate, by }) => [candidate.name, by.name]),
    [['bad', 'fast']],
  );
});

test('equal candidates all stay, in the order given, and one that ties in all but one objective is beaten', () => {
  const result = paretoFront([of('b', 1, 0.5), of('a', 1, 0.5), of('tied', 1, 0.4)], objectives);
  assert.equal(names(result.front), 'b a');
  assert.equal(result.dominated[0]!.by.name, 'b');
});

test('a candidate with NaN or without a figure is on no front and beats nobody; infinities are compared', () => {
  const lacking = { name: 'lacking', figures: { latency: 0 } as Record<string, number> };
  const result = paretoFront([of('nan', NaN, 1), lacking, of('endless', Infinity, 0.9), of('fine', 1, 0.5)], objectives);
  assert.equal(names(result.incomplete), 'nan lacking');
  assert.equal(names(result.front), 'fine endless');
});

test('the front of three objectives is the brute-force one, whatever the order of the candidates', () => {
  const generator = seededGenerator(1, 'pareto');
  const three: Objective[] = [...objectives, { name: 'memory', goal: 'minimise' }];
  const draw = () => drawBelow(generator, 6);
  const candidates = Array.from({ length: 150 }, (_, index) => ({
    name: `${index}`,
    figures: { latency: draw(), quality: draw(), memory: draw() },
  }));
  const costs = ({ figures }: (typeof candidates)[number]) => [figures.latency, -figures.quality, figures.memory];
  const beaten = (one: (typeof candidates)[number]) =>
    candidates.some((other) => {
      const [a, b] = [costs(other), costs(one)];
      return a.every((cost, at) => cost <= b[at]!) && a.some((cost, at) => cost < b[at]!);
    });
  const expected = candidates.filter((one) => !beaten(one)).map(({ name }) => name);
  for (const order of [candidates, candidates.toReversed()]) {
    const { front, dominated } = paretoFront(order, three);
    assert.deepEqual(front.map(({ name }) => name).toSorted(), expected.toSorted());
    assert.equal(front.length + dominated.length, candidates.length);
  }
});

test('no objectives, or one named twice, is an error', () => {
  assert.throws(() => paretoFront([of('a', 1, 1)], []), { code: 'INVALID_MIGRATION' });
  assert.throws(() => paretoFront([of('a', 1, 1)], [objectives[0]!, objectives[0]!]), { code: 'INVALID_MIGRATION' });
});
