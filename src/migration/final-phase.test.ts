import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileNameOf } from './candidate.ts';
import type { CandidateResult } from './candidate.ts';
import { AttnswapError } from '../contract/errors.ts';
import { dispatchOf } from './dispatch.ts';
import { bestOf, frontOf, standingsOf } from './final-phase.ts';
import type { Migration } from './migration.ts';

function result(name: string, figures: { latency: number; memory: number; loss: number; verdict?: string }): CandidateResult {
  const { latency, memory, loss, verdict = 'adopt' } = figures;
  const effect = (ratio: number) => ({ effect: { estimate: ratio - 1, low: ratio - 1, high: ratio - 1, confidence: 0.965 } });
  const quality = { judgement: { outcome: 'pass', reason: '', marginsLost: loss } };
  return { name, quality, latency: effect(latency), memory: effect(memory), decision: { verdict } } as unknown as CandidateResult;
}

test('of gains that noise may have ranked the one that loses least is taken', () => {
  const exact = result('exact', { latency: 0.99, memory: 0.55, loss: 0.005 });
  const sparse = result('sparse', { latency: 0.97, memory: 0.55, loss: 0.3 });
  assert.equal(bestOf([sparse, exact], 0.05)?.name, 'exact');
  assert.equal(bestOf([sparse, exact], 0.01)?.name, 'sparse');
});

test('a clear gain wins, whatever it loses within the margin; what may not be adopted never does', () => {
  const exact = result('exact', { latency: 1, memory: 0.8, loss: 0 });
  const sparse = result('sparse', { latency: 0.9, memory: 0.4, loss: 0.9 });
  const rejected = result('rejected', { latency: 0.1, memory: 0.1, loss: 0, verdict: 'reject' });
  assert.equal(bestOf([exact, sparse, rejected], 0.05)?.name, 'sparse');
  assert.equal(bestOf([rejected], 0.05), undefined);
});

test('what a wide interval cannot tell from the best is not ranked behind it', () => {
  const exact = result('exact', { latency: 1.06, memory: 0.55, loss: 0.001 });
  const wide = {
    ...exact,
    latency: { effect: { estimate: 0.06, low: -0.34, high: 0.69, confidence: 0.965 } },
  } as unknown as CandidateResult;
  const sparse = result('sparse', { latency: 0.97, memory: 0.55, loss: 0.3 });
  assert.equal(bestOf([sparse, exact], 0.05)?.name, 'sparse');
  assert.equal(bestOf([sparse, wide], 0.05)?.name, 'exact');
});

test('where a candidate was judged on fewer items, the most that each may have lost ranks', () => {
  const judged = (name: string, items: number, [loss, most]: [number, number]) => {
    const plain = result(name, { latency: 0.9, memory: 0.9, loss });
    const judgement = { ...plain.quality!.judgement, marginsAtMost: most };
    return { ...plain, quality: { judgement, task: { items, of: 400 } } } as unknown as CandidateResult;
  };
  const steady = judged('steady', 400, [0.3, 0.6]);
  const lucky = (items: number) => judged('lucky', items, [0.1, 0.95]);
  for (const [items, best] of [
    [20, 'steady'],
    [400, 'lucky'],
  ] as const) {
    const results = [lucky(items), steady];
    assert.equal(bestOf(results, 0.05)?.name, best);
    assert.deepEqual(frontOf(standingsOf(results)), [best]);
  }
});

test('a candidate of many sites has a file name that a folder takes, and its own', () => {
  const name = (last: string) => [...Array.from({ length: 24 }, (_, site) => `${site}=window.tiled:w=256`), last].join(' ');
  assert.ok(fileNameOf(name('24=dense.fused')).length <= 100);
  assert.notEqual(fileNameOf(name('24=dense.fused')), fileNameOf(name('24=dense.tiled')));
  assert.equal(fileNameOf('window.tiled:w=64'), 'window.tiled_w=64.onnx');
});

test('a call whose operators cannot be told does not end the migration, but an interruption does', async () => {
  const told: string[] = [];
  const failing = (error: Error) =>
    ({
      settings: { compareAt: 8 },
      items: new Map([['judging', Promise.resolve([{ length: 8, feeds: {} }])]]),
      state: { step: (_: string, run: () => unknown) => run() },
      subject: { dispatch: () => Promise.reject(error) },
      progress: (_: string, what: string) => told.push(what),
    }) as unknown as Migration;
  assert.equal(await dispatchOf(failing(new Error('no space left on device')), 'original', 'model.onnx'), null);
  assert.deepEqual(told, ['it is not known which operators ran: no space left on device']);
  await assert.rejects(dispatchOf(failing(new AttnswapError('INTERRUPTED', 'interrupted')), 'original', 'model.onnx'), {
    code: 'INTERRUPTED',
  });
});
