import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Adapter } from '../contract/adapter.ts';
import type { AdapterTraining } from '../contract/model-attention.ts';
import type { HostedModel } from '../model/hosted/find-hosted-sites.ts';
import { HostedSubject } from './hosted-subject.ts';

const candidate = { name: 'window', replacements: new Map() };

/** A model of which it is told when it is opened, run, trained on ranks and closed. */
function told(ranks: boolean) {
  const log: string[] = [];
  const model = () => ({
    inputs: [],
    attention: { swap: async () => undefined },
    bind: () => ({ run: async () => void log.push('run'), outputs: async () => ({}) }),
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
  const hosted = { path: 'model', model: model(), sites: [] } as unknown as HostedModel;
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
