import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { test } from 'node:test';
import type { Item } from '../contract/data.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { AdapterTraining } from '../contract/model-attention.ts';
import { temporaryFolder } from '../processes/temporary.ts';
import type { MeasuredBaseline } from './baseline-phase.ts';
import type { CandidateResult } from './candidate.ts';
import type { Migration } from './migration.ts';
import { bestOf, isSpent, recoverCandidates, train } from './recover.ts';
import type { ModelCandidate } from './subject.ts';

const judged = (...losses: readonly number[]) => losses.map((loss, at) => ({ step: 100 + 50 * at, loss }));

test('training ends after so many checkpoints in a row that lose more, and the best one is kept', () => {
  assert.equal(isSpent(judged(0.3), 1), false);
  assert.equal(isSpent(judged(0.3, 0.3), 1), false, 'a few items may tell no difference');
  assert.equal(isSpent(judged(0.3, 0.4, 0.2), 2), false);
  assert.equal(isSpent(judged(0.3, 0.2, 0.4, 0.25), 2), true);
  assert.equal(isSpent(judged(0.3, 0, 0), 1), true, 'nothing is left to gain');
  assert.equal(isSpent(judged(Infinity, Infinity), 2), false);
  assert.equal(isSpent(judged(Infinity, Infinity, Infinity), 2), true);
  assert.equal(bestOf(judged(0.3, 0.2, 0.4, 0.25)), 150);
  assert.equal(bestOf(judged(0.3, 0, 0)), 200, 'of equal ones the last');
});

const candidate: ModelCandidate = { name: 'window', replacements: new Map() };

/** A migration whose checkpoints score as scripted, the original 1 throughout, on as many items of a length as there are. */
async function scripted(scores: Readonly<Record<number, number>>, { steps = 100, count = 20 }: { steps?: number; count?: number } = {}) {
  const trainings: AdapterTraining[] = [];
  const item = (at: number): Item => ({ id: `${at}`, length: 8, feeds: { x: { type: 'float32', dims: [1], data: Float32Array.of(at) } } });
  let score = 1;
  const migration = {
    settings: {
      ...{ lengths: [8], itemsPerLength: 4, seed: 1, threads: 1, candidates: [] },
      recover: { steps, labels: 300, rank: 1, learningRate: 1, batch: 1, ranks: 1, patience: 2 },
    },
    data: {
      items: async ({ itemsPerLength }: { itemsPerLength: number }) =>
        Array.from({ length: Math.min(count, itemsPerLength) }, (_, at) => item(at)),
      evaluate: async (_: unknown, items: readonly Item[]) => items.map(() => score),
    },
    items: new Map(),
    judged: new Map([[candidate.name, candidate]]),
    state: {
      folder: await temporaryFolder('recovering'),
      step: async (_: string, compute: () => Promise<unknown>) => JSON.parse(JSON.stringify(await compute())) as unknown,
    },
    subject: {
      open: async (opened?: ModelCandidate) => {
        score = opened?.adapters === undefined ? 1 : scores[Number(basename(opened.adapters, '.safetensors'))]!;
        return { inputs: [], dispose: async () => undefined };
      },
      train: async (_: ModelCandidate, training: AdapterTraining) => {
        trainings.push(training);
        writeFileSync(training.output!, '');
        return { losses: [0.5], parameters: 1 };
      },
    },
    progress: () => undefined,
  } as unknown as Migration;
  return { migration, trainings };
}

test('each checkpoint from the end of the first stage on is judged; one that cannot be scored does not end the others', async () => {
  const { migration, trainings } = await scripted({ 100: 0.5, 150: 0.75, 200: NaN, 250: 0.7, 300: 1 });
  const done = await train(migration, candidate);
  assert.deepEqual(done.judged, [
    { step: 100, loss: 0.5 },
    { step: 150, loss: 0.25 },
    { step: 200, loss: Infinity },
    { step: 250, loss: 1 - 0.7 },
  ]);
  assert.deepEqual([done.kept, done.heldOut, trainings.length], [150, 2, 5]);
  assert.deepEqual([basename(done.adapters), basename(done.between!)], ['150.safetensors', '100.safetensors']);
});

test('without a first stage, every checkpoint is judged, and none lies between stages', async () => {
  const { migration, trainings } = await scripted({ 50: 0.9, 100: 0.8, 150: 0.7 }, { steps: 0 });
  const { kept, between } = await train(migration, candidate);
  assert.deepEqual([kept, between, trainings.map(({ objective }) => objective)], [50, null, ['labels', 'labels', 'labels']]);
});

test('where all items are judged, nothing is held out, and training does not stop early', async () => {
  const { migration, trainings } = await scripted({}, { count: 4 });
  migration.items.set('training', migration.data.items({ lengths: [8], itemsPerLength: 1, seed: 3 }) as Promise<readonly Item[]>);
  const { kept, judged: looked, heldOut } = await train(migration, candidate);
  assert.deepEqual([kept, looked, heldOut, trainings.length], [400, [], 0, 8]);
});

test('a candidate that loses behind the cache alone is trained as well', async () => {
  const { migration } = await scripted({});
  const refused = async () => {
    throw new AttnswapError('UNSUPPORTED', 'no linear layers');
  };
  const quality = (outcome: string, marginsLost: number) => ({ judgement: { outcome, reason: '', marginsLost } });
  const result = (decode: unknown) =>
    ({ name: candidate.name, quality: quality('pass', 0.1), decode: { quality: decode } }) as CandidateResult;
  const recovered = (decode: unknown) =>
    recoverCandidates({ ...migration, subject: { ...migration.subject, train: refused } }, {} as MeasuredBaseline, [result(decode)]);
  assert.deepEqual(await recovered(quality('regression', 3)), [{ from: 'window', failure: 'no linear layers' }]);
  assert.deepEqual(await recovered(quality('pass', 0.2)), []);
});

test('how a worker ends after Ctrl-C is the interruption; without one, it is told, and nothing is stored', async () => {
  const result = { name: candidate.name, quality: { judgement: { outcome: 'regression', reason: '', marginsLost: 3 } } } as CandidateResult;
  for (const where of ['train', 'open'] as const)
    for (const interrupted of [true, false]) {
      const { migration } = await scripted({});
      const abort = new AbortController();
      const stored: string[] = [];
      const step = async (name: string, compute: () => Promise<unknown>) => {
        const done = await compute();
        stored.push(name);
        return done;
      };
      const dies = async (of?: ModelCandidate) => {
        if (where === 'open' && of?.adapters === undefined) return migration.subject.open();
        if (interrupted) abort.abort(new AttnswapError('INTERRUPTED', 'interrupted'));
        throw new AttnswapError('WORKER_FAILED', 'the worker was ended by SIGKILL');
      };
      const subject = { ...migration.subject, [where]: dies };
      const given = {
        ...migration,
        subject,
        state: { folder: migration.state.folder, step },
        signal: abort.signal,
      } as unknown as Migration;
      await assert.rejects(recoverCandidates(given, {} as MeasuredBaseline, [result]), {
        code: interrupted ? 'INTERRUPTED' : 'WORKER_FAILED',
      });
      assert.ok(!stored.some((name) => name.includes(where === 'train' ? 'recover/' : '/judged/')), stored.join(', '));
    }
});
