import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AdapterTraining } from '../contract/model-attention.ts';
import { openRanksOnWorkers } from './worker-ranks.ts';
import { startWorker } from './worker-process.ts';

/** Ranks that open a model, and answer a training with a piece of JSON, or never. */
function ranksThat(answer: string) {
  const program = `require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, ask } = JSON.parse(line);
    const answer = ask === 'model-open' ? '"model":"M","inputs":[{"name":"x","type":"int64","dims":[1]}]' : ${JSON.stringify(answer)};
    if (answer !== '') console.log('{"id":' + id + ',' + answer + '}');
  });`;
  const start = async () => startWorker({ command: [process.execPath, '-e', program], ...(answer === '' && { timeoutSeconds: 5 }) });
  return openRanksOnWorkers(start, { backend: 'torch-cpu', model: 'model', ranks: 2, threads: 1 });
}

test('what a rank says is wrong is refused; silence ends the run, which may go on; a loss is missed', async () => {
  const training: AdapterTraining = {
    ...{ objective: 'labels', items: ['0', '1', '2', '3'], batch: 2, rank: 1, seed: 1, state: null, output: null },
    optimizer: { learningRate: 1, weightDecay: 0, warmUpSteps: 1, steps: 2, clip: 1 },
  };
  const cost = { elapsedNs: 1, communicationNs: 1, peakBytes: null, frozenBytes: 0, trainedBytes: 0, gradientBytes: 0, optimizerBytes: 0 };
  const answers = (losses: number[]) => JSON.stringify({ losses, parameters: 1, cost }).slice(1, -1);
  for (const [answer, error] of [
    ['"error":"no linear layers"', { code: 'UNSUPPORTED', message: /failed to model-train: no linear layers/ }],
    ['', { code: 'WORKER_FAILED', message: /^training on 2 ranks: [^]* did not answer model-train within 5 s; the others were stopped$/ }],
    [answers([0.5]), { code: 'WORKER_PROTOCOL', message: /losses/ }],
  ] as const) {
    const ranks = await ranksThat(answer);
    await assert.rejects(ranks.train({}, training), error, answer);
  }
  const ranks = await ranksThat(answers([0.5, 0.4]));
  assert.deepEqual((await ranks.train({}, training)).losses, [0.5, 0.4]);
  await ranks.dispose();
});
