import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Adapter } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { AdapterTraining } from '../contract/model-attention.ts';
import { AnsweredError, LostWorkerError } from '../protocol/read-reply.ts';
import type { HostedModel } from '../model/hosted/find-hosted-sites.ts';
import { HostedSubject } from './hosted-subject.ts';
import type { ModelCandidate } from './subject.ts';

const candidate = { name: 'window', replacements: new Map() };

/** A model of which it is told when it is opened, run, trained on ranks and closed. */
function told(
  ranks: boolean,
  { train = async (): Promise<unknown> => undefined, swap = async () => undefined, run = async () => undefined } = {},
) {
  const log: string[] = [];
  const model = () => ({
    inputs: [],
    attention: { swap, train },
    bind: () => ({ run: async () => run().then(() => log.push('run')), outputs: async () => ({}) }),
    dispose: async () => void log.push('closed'),
  });
  const adapter = {
    name: 'told',
    openModel: async () => {
      log.push('opened');
      return model();
    },
    ...(ranks && { openRanks: async () => ({ pids: [], train: async () => log.push('trained'), dispose: async () => undefined }) }),
  } as unknown as Adapter;
  const hosted = { path: 'model', model: model(), sites: [{ swappable: true, node: 'layer.0' }] } as unknown as HostedModel;
  return { log, subject: new HostedSubject(hosted, { adapter, backend: 'torch-cpu' }) };
}

test('while ranks train, the model that was opened to judge them is closed', async () => {
  const { log, subject } = told(true);
  const ranks = await subject.openRanks(candidate, { ranks: 2, threads: 1 });
  for (let checkpoint = 0; checkpoint < 2; checkpoint += 1) {
    await ranks.train({} as AdapterTraining);
    await (await subject.open(candidate)).bind({}).run();
  }
  assert.deepEqual(log, ['closed', 'trained', 'opened', 'run', 'closed', 'trained', 'opened', 'run']);
});

test('an adapter that opens no ranks is named', async () => {
  await assert.rejects(told(false).subject.openRanks(candidate, { ranks: 2, threads: 1 }), {
    code: 'UNSUPPORTED',
    message: 'told does not train on several ranks',
  });
});

const placed = { name: 'window', replacements: new Map([[0, { variant: 'window', parameters: { w: 4 } }]]) } as unknown as ModelCandidate;
const again = '; if it happens again, it is too much for this machine: check its free memory, or leave the candidate out';

for (const doing of ['swap', 'run'] as const)
  test(`a candidate that the worker refuses to ${doing} ends; one whose worker is gone does not, and the model is opened anew`, async () => {
    let error: AttnswapError | undefined;
    const fail = async () => {
      if (error !== undefined) throw error;
    };
    const { log, subject } = told(false, { [doing]: fail });
    const bound = (await subject.open(placed)).bind({});
    // What it answers, and what is wrong with its outputs.
    for (const Refusal of [AnsweredError, AttnswapError]) {
      error = new Refusal('WORKER_FAILED', `failed to ${doing}: no such mask`);
      await assert.rejects(bound.run(), { code: 'UNSUPPORTED', message: `failed to ${doing}: no such mask` });
    }
    for (const message of ['the worker was ended by SIGKILL', `the worker did not answer ${doing} within 600 s`]) {
      error = new LostWorkerError('WORKER_FAILED', message);
      await assert.rejects(bound.run(), { code: 'WORKER_FAILED', message, hint: `run the same command to continue${again}` });
    }
    error = undefined;
    await bound.run();
    assert.deepEqual(log, ['closed', 'opened', 'closed', 'opened', 'closed', 'opened', 'closed', 'opened', 'run']);
  });

test('a training that the worker refuses ends the candidate; one whose worker is gone is to be continued', async () => {
  const trained = (error: AttnswapError) =>
    told(false, { train: () => Promise.reject(error) }).subject.train(placed, {} as AdapterTraining);
  await assert.rejects(trained(new AnsweredError('WORKER_FAILED', 'failed to model-train: no linear layers')), {
    code: 'UNSUPPORTED',
    message: 'failed to model-train: no linear layers',
  });
  await assert.rejects(trained(new LostWorkerError('WORKER_FAILED', 'the worker was ended by SIGKILL')), {
    code: 'WORKER_FAILED',
    message: 'training: the worker was ended by SIGKILL',
    hint: `run the same command to continue from the last checkpoint${again}`,
  });
});
