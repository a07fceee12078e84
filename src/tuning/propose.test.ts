import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readTuning } from '../contract/tuning.ts';
import { changesOf } from './ablate.ts';
import { attentionIn } from './progressive.ts';
import { proposeTrials } from './propose.ts';
import { trialId } from './trial.ts';

const definition = {
  name: 'test',
  task: 'recall',
  model: { layers: 2, width: 64, heads: 2, hidden: 128 },
  candidates: ['topk:k=8'],
  space: { position: ['rotary', 'alibi'], learningRate: [0.003, 0.01], techniques: [[], ['sparsify'], ['distil', 'heads']] },
  search: { trials: 6 },
} as const;

test('the first trial has the first choice of everything; all differ; the same seed gives the same', () => {
  const tuning = readTuning(definition, 'test');
  const trials = proposeTrials(tuning, 'topk:k=8', 1);
  assert.equal(trialId(trials[0]!), 'topk:k=8 rotary layer before lr=0.003 drawn seed1');
  assert.equal(new Set(trials.map(trialId)).size, 6);
  assert.deepEqual(proposeTrials(tuning, 'topk:k=8', 1), trials);
  assert.notDeepEqual(
    proposeTrials(tuning, 'topk:k=8', 2).map((trial) => ({ ...trial, seed: 1 })),
    trials,
  );
});

test('a space of two gives two trials, however many are asked for', () => {
  const tuning = readTuning({ ...definition, space: { learningRate: [0.003, 0.01] } }, 'test');
  assert.deepEqual(
    proposeTrials(tuning, 'topk:k=8', 1)
      .map(({ learningRate }) => learningRate)
      .toSorted((a, b) => a - b),
    [0.003, 0.01],
  );
});

test('sparsification begins dense, drops a tenth more each epoch, and ends at the goal', () => {
  const [base] = proposeTrials(readTuning(definition, 'test'), 'topk:k=8', 1);
  const parametersIn = (attention: string, epoch: number, epochs = 20) =>
    attentionIn({ ...base!, attention, techniques: ['sparsify'] }, epoch, { layers: 1, length: 64, epochs })[0]!.parameters;
  assert.deepEqual(
    [0, 1, 8, 9].map((epoch) => parametersIn('topk:k=8', epoch)),
    [{ keep: 1 }, { keep: 0.9 }, { keep: 0.2 }, { k: 8 }],
  );
  assert.deepEqual(
    [0, 2, 3, 9].map((epoch) => parametersIn('gated:sparsity=0.3', epoch)['sparsity']),
    [0, 0.2, 0.3, 0.3],
  );
  assert.deepEqual(
    [0, 1, 4, 9].map((epoch) => parametersIn('block-topk:block=8,blocks=3', epoch)['blocks']),
    [8, 8, 5, 3],
  );
  assert.deepEqual(parametersIn('window:w=16', 0), parametersIn('window:w=16', 9));
  // Of eight epochs the last four train what is tested, however far it is from dense.
  assert.deepEqual(
    [0, 1, 3, 4].map((epoch) => parametersIn('topk:k=8', epoch, 8)),
    [{ keep: 1 }, { keep: 0.78125 }, { keep: 0.34375 }, { k: 8 }],
  );
  assert.deepEqual(attentionIn({ ...base!, shuffled: true }, 0, { layers: 2, length: 64, epochs: 1 }), [
    { variant: 'topk', parameters: { k: 8 }, shuffled: true },
    { variant: 'topk', parameters: { k: 8 }, shuffled: true },
  ]);
});

test('an ablation puts back one choice at a time: each technique, and whatever is not the space’s first', () => {
  const tuning = readTuning(definition, 'test');
  const [first] = proposeTrials(tuning, 'topk:k=8', 1);
  assert.deepEqual(changesOf(first!, tuning), []);
  assert.deepEqual(changesOf({ ...first!, position: 'alibi', techniques: ['distil', 'heads'] }, tuning), [
    { without: 'distil left out', change: { techniques: ['heads'] } },
    { without: 'heads left out', change: { techniques: ['distil'] } },
    { without: 'position rotary instead of alibi', change: { position: 'rotary' } },
  ]);
});

test('a suite with an unknown field, a bad technique or an impossible model is refused by name', () => {
  const refused = (changes: object, field: RegExp) =>
    assert.throws(() => readTuning({ ...definition, ...changes }, 'x.suite.ts'), { code: 'INVALID_SUITE', message: field });
  refused({ colour: 1 }, /x\.suite\.ts: .*colour/);
  refused({ space: { techniques: [['magic']] } }, /space\.techniques/);
  refused({ candidates: [] }, /candidates/);
});
