import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Adapter } from '../contract/adapter.ts';
import type { Training } from '../contract/training.ts';
import { readTuning } from '../contract/tuning.ts';
import type { Tuning } from '../contract/tuning.ts';
import { Journal } from '../journal/journal.ts';
import { compareHosts } from '../measure/same-host.ts';
import { taskOf } from '../training/tasks/index.ts';
import { definitionsOf } from './definitions.ts';
import { tuningSteps } from './record.ts';
import { searchCandidate } from './search.ts';
import type { TrialSearch } from './search.ts';
import { TimeLeft } from './time-left.ts';
import type { TuningWork } from './work.ts';

const tuning = readTuning(
  {
    name: 'mine',
    task: 'recall:pairs=2,length=16,keys=8,values=8',
    model: { layers: 1, width: 16, heads: 2, hidden: 16 },
    candidates: ['window:w=4'],
    space: { learningRate: [0.01, 0.02] },
    items: { train: 16, validation: 2, test: 2 },
    training: { epochs: 4, batch: 8 },
    search: { trials: 2, seeds: 1 },
  },
  'test',
);

/** Learns nothing: the rate .01 scores best after two epochs and falls off behind, .02 stays where it is. */
function scriptedTraining(learningRate: number): Training {
  let epochs = 0;
  const never = () => Promise.reject(new Error('not asked in a search'));
  return {
    epoch: async () => {
      epochs++;
      return { losses: [1], gradientNorms: [1], diverged: false, elapsedNs: 1 };
    },
    evaluate: async () => {
      const score = learningRate === 0.02 ? 0.5 : epochs <= 2 ? 0.6 : 0.1;
      return { correct: Float32Array.of(score, score), bits: Float32Array.of(1, 1) };
    },
    importance: never,
    translate: never,
    gradients: never,
    logits: never,
    save: (path) => writeFile(path, String(epochs)),
    load: async (path) => void (epochs = Number(await readFile(path, 'utf8'))),
    close: async () => undefined,
  };
}

/** Runs `use` with a search that can be asked again. */
async function withSearch(given: Tuning, use: (search: () => Promise<TrialSearch>) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'attnswap-search-'));
  try {
    const state = await Journal.open(folder, { files: {}, settings: {}, host: 'x' }, { kind: 'tuning', steps: tuningSteps, compareHosts });
    const adapter = {
      name: 'scripted',
      train: async ({ optimizer }: { optimizer: { learningRate: number } }) => scriptedTraining(optimizer.learningRate),
    } as unknown as Adapter;
    const work = {
      tuning: given,
      state,
      task: taskOf(given.task),
      trainer: { adapter, backend: 'scripted' },
      seed: 1,
      timeLeft: new TimeLeft(given),
    };
    const reference = { trial: {} as never, weights: '', importance: [] };
    await use(() => searchCandidate({ ...work, progress: () => undefined } as unknown as TuningWork, 'window:w=4', reference));
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('a search that is asked again, when its winner has long been trained to the end, comes to the same', () =>
  withSearch(tuning, async (search) => {
    const first = await search();
    assert.deepEqual(await search(), first);
    const { winner, trials } = first;
    assert.equal(winner.learningRate, 0.01);
    assert.deepEqual(
      trials.map(({ scores }) => scores.map((score) => Number(score.toFixed(3)))),
      [[0.6, 0.1], [0.5]],
    );
    assert.ok(trials.every(({ layers }) => layers === undefined));
  }));

test('where a trial with exits has no number of layers, none is made up', () =>
  withSearch(
    { ...tuning, model: { ...tuning.model, layers: 2 }, space: { ...tuning.space, learningRate: [0.02], exits: [0.9, null] } },
    async (search) => {
      const { trials, winner } = await search();
      const [early, plain] = trials;
      assert.deepEqual([early!.scores.length, plain!.scores.length], [2, 1]);
      assert.ok(early!.layers!.length === early!.scores.length && early!.layers!.every((layers) => layers === null));
      assert.equal(plain!.layers, undefined);
      assert.equal(winner.exits, 0.9);
    },
  ));

test('a tuning is of the definitions of its task and of its exits, where they changed', () => {
  const of = (task: string, exits?: Array<number | null>, position = tuning.space.position) =>
    definitionsOf({ task, space: { ...tuning.space, exits, position } });
  assert.deepEqual(of('recall.full'), {});
  assert.deepEqual(of('recall', [null]), {});
  assert.deepEqual(of('recall', [null, 0.9]), { exitsDefinition: 3 });
  assert.deepEqual(of('hops:nodes=12'), { taskDefinition: 3 });
  assert.deepEqual(of(' digits.quick', [0.9]), { exitsDefinition: 3, taskDefinition: 3 });
  assert.deepEqual(of('recall', undefined, ['rotary', 'learned']), { positionsDefinition: 2 });
});
