import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readTuning } from '../contract/tuning.ts';
import { smallerTuning } from './smaller.ts';

const definition = {
  name: 'mine',
  task: 'recall',
  model: { layers: 1, width: 16, heads: 2, hidden: 16 },
  candidates: ['topk:k=3'],
  items: { train: 640, validation: 32, test: 64 },
  training: { epochs: 4, batch: 16 },
  search: { trials: 2, seeds: 3 },
};
const smallerOf = (smaller?: object) => smallerTuning(readTuning({ ...definition, ...(smaller && { smaller }) }, 'test'));

test('a slow trainer gets what the suite says, the rest stays', () => {
  const { tuning, changes } = smallerOf({ items: { train: 320 }, search: { trials: 1 } });
  assert.deepEqual(tuning.items, { train: 320, validation: 32, test: 64 });
  assert.deepEqual([tuning.search.trials, tuning.search.seeds, tuning.training.epochs], [1, 3, 4]);
  assert.deepEqual(changes, ['items.train 320 instead of 640', 'search.trials 1 instead of 2']);
});

test('where the suite says nothing there is one trial and two seeds; where it says that nothing is smaller, nothing is', () => {
  assert.deepEqual(smallerOf().changes, ['search.trials 1 instead of 2', 'search.seeds 2 instead of 3']);
  const { tuning, changes } = smallerOf({});
  assert.deepEqual([tuning.search.seeds, changes], [3, []]);
});

test('a smaller budget is never larger', () => {
  assert.deepEqual(smallerOf({ training: { epochs: 9 } }).changes, []);
});
