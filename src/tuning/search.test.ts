import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Adapter } from '../contract/adapter.ts';
import type { Training } from '../contract/training.ts';
import { readTuning } from '../contract/tuning.ts';
import { Journal } from '../journal/journal.ts';
import { compareHosts } from '../measure/same-host.ts';
import { taskOf } from '../training/tasks/index.ts';
import { tuningSteps } from './record.ts';
import { searchCandidate } from './search.ts';
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

test('a search that is asked again, when its winner has long been trained to the end, comes to the same', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'attnswap-search-'));
  try {
    const state = await Journal.open(folder, { files: {}, settings: {}, host: 'x' }, { kind: 'tuning', steps: tuningSteps, compareHosts });
    const adapter = {
      name: 'scripted',
      train: async ({ optimizer }: { optimizer: { learningRate: number } }) => scriptedTraining(optimizer.learningRate),
    } as unknown as Adapter;
    const work = {
      tuning,
      state,
      task: taskOf(tuning.task),
      trainer: { adapter, backend: 'scripted' },
      seed: 1,
      timeLeft: new TimeLeft(tuning),
    };
    const reference = { trial: {} as never, weights: '', importance: [] };
    const search = () => searchCandidate({ ...work, progress: () => undefined } as unknown as TuningWork, 'window:w=4', reference);
    const first = await search();
    assert.deepEqual(await search(), first);
    const { winner, trials } = first;
    assert.equal(winner.learningRate, 0.01);
    assert.deepEqual(
      trials.map(({ scores }) => scores.map((score) => Number(score.toFixed(3)))),
      [[0.6, 0.1], [0.5]],
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});
