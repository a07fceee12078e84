import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readTuning } from '../contract/tuning.ts';
import { changesOf } from './ablate.ts';
import { attentionIn } from './progressive.ts';
import { proposeTrials } from './propose.ts';
import type { LayerAttention } from '../contract/training.ts';
import { parametersOf, readTestbed, sitesOf } from '../training/testbed.ts';
import { choicesOf, testbedOf, trialId } from './trial.ts';

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

test('what a layer costs is a choice of trials with exits, and their models keep its heads without exits', () => {
  const space = { exits: [null, 0.5], layerCost: [null, 0.02] };
  const tuning = readTuning({ ...definition, search: { trials: 100 }, space }, 'test');
  const trials = proposeTrials(tuning, 'topk:k=8', 1);
  assert.deepEqual(trials.map(({ exits, layerCost }) => `${exits} ${layerCost}`).toSorted(), ['0.5 0.02', '0.5 null', 'null null']);
  const priced = trials.find(({ layerCost }) => layerCost !== null)!;
  assert.match(trialId(priced), / exit=0\.5 cost=0\.02 /);
  assert.match(choicesOf(priced), /, exits where a trained head reaches 0\.5 \(0\.02 nats per layer\)$/);
  const task = { vocabulary: 10, classes: 10, length: 64, causal: true };
  const [built, whole] = [priced, { ...priced, exits: null }].map((trial) => readTestbed(testbedOf(trial, tuning, task), 'test'));
  assert.deepEqual([built!.exits, built!.layerCost, whole!.exits, whole!.layerCost], [[0.5], 0.02, undefined, 0.02]);
  assert.deepEqual(parametersOf(whole!), parametersOf(built!));
  assert.deepEqual(
    changesOf(priced, tuning).map(({ without }) => without),
    ['exits none instead of 0.5', 'layerCost none instead of 0.02'],
  );
  const plain = trials.find(({ exits }) => exits === null)!;
  const changesIn = (layerCost: Array<number | null>) =>
    changesOf(plain, readTuning({ ...definition, space: { exits: [0.5, null], layerCost } }, 'test'));
  assert.deepEqual(changesIn([0.02, null]), [
    { without: 'exits 0.5 with layerCost 0.02 instead of none', change: { exits: 0.5, layerCost: 0.02 } },
  ]);
  assert.deepEqual(changesIn([null, 0.02]), [{ without: 'exits 0.5 instead of none', change: { exits: 0.5 } }]);
  assert.deepEqual(changesOf(plain, readTuning({ ...definition, space: { exits: [null, 0.5], layerCost: [0.02] } }, 'test')), []);
});

test('exits are one more choice: in the testbed after every layer but the last, in the name, and worth an ablation', () => {
  const plain = readTuning({ ...definition, search: { trials: 100 } }, 'test');
  const tuning = readTuning({ ...definition, search: { trials: 100 }, space: { ...definition.space, exits: [null, 0.9] } }, 'test');
  const trials = proposeTrials(tuning, 'topk:k=8', 1);
  assert.equal(trials.length, 2 * proposeTrials(plain, 'topk:k=8', 1).length);
  const early = trials.find(({ exits }) => exits !== null)!;
  assert.match(trialId(early), / exit=0\.9 /);
  assert.match(choicesOf(early), /, exits at confidence 0\.9$/);
  const task = { vocabulary: 10, classes: 10, length: 64, causal: true };
  const deeper = { ...tuning, model: { ...tuning.model, layers: 3 } };
  assert.deepEqual(readTestbed(testbedOf(early, deeper, task), 'test').exits, [0.9, 0.9]);
  assert.equal('exits' in testbedOf({ ...early, exits: null }, deeper, task), false);
  const [first] = trials;
  assert.equal(trialId(first!), 'topk:k=8 rotary layer before lr=0.003 drawn seed1');
  assert.deepEqual(changesOf({ ...first!, exits: 0.9 }, tuning), [{ without: 'exits none instead of 0.9', change: { exits: null } }]);
});

test('shuffling and sparsify touch the sites where the candidate stands alone, also beside a baseline that selects', () => {
  const tuning = readTuning({ ...definition, baseline: 'topk:k=4' }, 'test');
  const task = { vocabulary: 10, classes: 10, length: 16, causal: true, sourceLength: 16 };
  const [trial] = proposeTrials(tuning, 'topk:k=8@cross', 1);
  const goal = { testbed: testbedOf(trial!, tuning, task), epochs: 4 };
  const kinds = sitesOf(goal.testbed).map(({ kind }) => kind);
  const crossing = (attention: readonly LayerAttention[], changed: (each: LayerAttention) => boolean) =>
    assert.deepEqual(
      attention.map(changed),
      kinds.map((kind) => kind === 'cross'),
    );
  assert.ok(kinds.includes('self') && kinds.includes('encoder'));
  crossing(attentionIn({ ...trial!, shuffled: true }, 3, goal), ({ shuffled }) => shuffled === true);
  crossing(attentionIn({ ...trial!, techniques: ['sparsify'] }, 0, goal), ({ parameters }) => parameters['k'] !== 4);
  const own = attentionIn({ ...trial!, attention: 'topk:k=8@self', shuffled: true }, 3, {
    ...goal,
    testbed: testbedOf({ ...trial!, attention: 'topk:k=8@self' }, tuning, task),
  });
  assert.deepEqual(
    own.map(({ shuffled }) => shuffled === true),
    kinds.map((kind) => kind !== 'cross'),
  );
});

/** Of 64 tokens. */
function testbedWith(attention: string, reads: { sourceLength?: number } = {}) {
  const tuning = readTuning(definition, 'test');
  const [base] = proposeTrials(tuning, attention, 1);
  return testbedOf(base!, tuning, { vocabulary: 10, classes: 10, length: 64, causal: true, ...reads });
}

test('a candidate takes every place of a model with an encoder, those within sequences, or those across', () => {
  const placesOf = (candidate: string) => {
    const { attention, encoder } = testbedWith(candidate, { sourceLength: 80 });
    assert.equal(encoder!.length, 80);
    return [attention, encoder!.attention, encoder!.cross].map((layers) => [...new Set(layers)].join());
  };
  assert.deepEqual(placesOf('topk:k=8'), ['topk:k=8', 'topk:k=8', 'topk:k=8']);
  assert.deepEqual(placesOf('topk:k=8@all'), ['topk:k=8', 'topk:k=8', 'topk:k=8']);
  assert.deepEqual(placesOf('topk:k=8@self'), ['topk:k=8', 'topk:k=8', 'dense']);
  assert.deepEqual(placesOf('topk:k=8@cross'), ['dense', 'dense', 'topk:k=8']);
  const refused = (candidate: string, message: RegExp) => assert.throws(() => testbedWith(candidate), { code: 'INVALID_SUITE', message });
  refused('topk:k=8@crss', /candidate "topk:k=8@crss": expected @all, @self, @cross or nothing/);
  refused('topk:k=8@self@cross', /expected @all, @self, @cross or nothing/);
  refused('topk:k=8@cross', /this task has no cross-attention/);
});

test('sparsification of cross-attention counts the keys of the source', () => {
  const [base] = proposeTrials(readTuning(definition, 'test'), 'topk:k=8@cross', 1);
  const testbed = testbedWith('topk:k=8@cross', { sourceLength: 80 });
  const given = attentionIn({ ...base!, techniques: ['sparsify'] }, 1, { testbed, epochs: 8 });
  // A quarter of the way from all keys to 8 of 80.
  assert.deepEqual(
    given.map(({ variant, parameters }) => [variant, parameters['keep']]),
    ['dense', 'dense', 'dense', 'topk', 'dense', 'topk'].map((variant) => [variant, variant === 'topk' ? 0.775 : undefined]),
  );
});

test('sparsification begins dense, drops a tenth more each epoch, and ends at the goal', () => {
  const [base] = proposeTrials(readTuning(definition, 'test'), 'topk:k=8', 1);
  const parametersIn = (attention: string, epoch: number, epochs = 20) =>
    attentionIn({ ...base!, attention, techniques: ['sparsify'] }, epoch, { testbed: testbedWith(attention), epochs })[0]!.parameters;
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
  assert.deepEqual(attentionIn({ ...base!, shuffled: true }, 0, { testbed: testbedWith('topk:k=8'), epochs: 1 }), [
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
  refused({ space: { exits: [null, 0] } }, /space\.exits\.1/);
  refused({ space: { exits: [0.5], layerCost: [0] } }, /space\.layerCost\.0/);
  refused({ space: { layerCost: [null, 0.1] } }, /space\.layerCost: a cost needs exits/);
  const layered = (layers: number) => ({ model: { ...definition.model, layers }, space: { exits: [null, 0.9] } });
  refused(layered(1), /space\.exits: exits need a model of at least 2 layers, got 1/);
});
