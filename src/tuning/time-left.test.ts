import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readTuning } from '../contract/tuning.ts';
import { mostEpochs, TimeLeft } from './time-left.ts';

const tuning = readTuning(
  {
    name: 'mine',
    task: 'recall',
    model: { layers: 1, width: 16, heads: 2, hidden: 16 },
    candidates: ['topk:k=3', 'window:w=4'],
    space: { position: ['rotary', 'alibi'], techniques: [[], ['sparsify', 'distil']] },
    training: { epochs: 4, batch: 8 },
    search: { trials: 2, seeds: 3 },
  },
  'test',
);

test('the most epochs are those of every trial to its end, all seeds, the control, and each choice put back from every seed', () => {
  // Two trials, two seeds more, a control, and three choices (position, two techniques) from three seeds.
  assert.deepEqual(mostEpochs(tuning), { baseline: 12, candidate: (2 + 2 + 1 + 3 * 3) * 4 });
});

test('what is left falls with every epoch, those of an earlier process too, and with every candidate', () => {
  const left = new TimeLeft(tuning);
  assert.equal(left.atMostSeconds, undefined);
  left.done('dense seed1', 4);
  assert.equal(left.atMostSeconds, undefined, 'an epoch of an earlier process tells no time');
  left.done('dense seed2', 1, 3);
  assert.equal(left.atMostSeconds, (12 - 5 + 2 * 56) * 3);
  left.done('dense seed2', 2, 5);
  assert.equal(left.atMostSeconds, (12 - 6 + 2 * 56) * 4);
  left.begin(0);
  assert.equal(left.atMostSeconds, 2 * 56 * 4);
  left.begin(1);
  left.done('window:w=4', 4);
  assert.equal(left.atMostSeconds, (56 - 4) * 4);
});

test('an epoch in which the computer slept is no measure of the others', () => {
  const left = new TimeLeft(tuning);
  for (const [index, seconds] of [3, 36_000, 3].entries()) left.done('dense seed1', index + 1, seconds);
  assert.equal(left.atMostSeconds, (12 - 3 + 2 * 56) * 3);
});
