import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import type { AdapterTraining } from '../contract/model-attention.ts';
import { openRanksOnWorkers } from './worker-ranks.ts';
import { startWorker } from './worker-process.ts';
import type { WorkerProcess } from './worker-process.ts';

const model = '"model":"M","inputs":[{"name":"x","type":"int64","dims":[1]}]';
const cost = { elapsedNs: 1, communicationNs: 1, peakBytes: null, frozenBytes: 0, trainedBytes: 0, gradientBytes: 0, optimizerBytes: 0 };

/** Two ranks that greet, open a model and train, each answered by a piece of JSON; '' is never answered, and 'dies' ends the second rank. */
function ranksThat({ hello = '"ok":true', open = model, train = '' }) {
  const started: WorkerProcess[] = [];
  const start = () => {
    const answers = { hello, 'model-open': open, 'model-train': train };
    const program = `require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
      const { id, ask } = JSON.parse(line);
      const answer = ${JSON.stringify(answers)}[ask];
      if (answer === 'dies') ${started.length === 1 ? "process.kill(process.pid, 'SIGKILL')" : '0'};
      else if (answer !== '') console.log('{"id":' + id + ',' + answer + '}');
    });`;
    started.push(startWorker({ command: [process.execPath, '-e', program], ...(train === '' && { timeoutSeconds: 5 }) }));
    return started.at(-1)!;
  };
  const greet = async (worker: WorkerProcess) => void (await worker.ask('hello', {}, z.object({ ok: z.literal(true) })));
  return { started, opening: openRanksOnWorkers(start, greet, { backend: 'torch-cpu', model: 'model', ranks: 2, threads: 1 }) };
}

test('what a rank says is wrong is refused; silence ends the run, which may go on; a loss is missed', async () => {
  const training: AdapterTraining = {
    ...{ objective: 'labels', items: ['0', '1', '2', '3'], batch: 2, rank: 1, seed: 1, state: null, output: null },
    optimizer: { learningRate: 1, weightDecay: 0, warmUpSteps: 1, steps: 2, clip: 1 },
  };
  const answers = (losses: number[]) => JSON.stringify({ losses, parameters: 1, cost }).slice(1, -1);
  for (const [train, error] of [
    ['"error":"no linear layers"', { code: 'UNSUPPORTED', message: /failed to model-train: no linear layers/ }],
    ['', { code: 'WORKER_FAILED', message: /^training on 2 ranks: [^]* did not answer model-train within 5 s; the others were stopped$/ }],
    [answers([0.5]), { code: 'WORKER_PROTOCOL', message: /losses/ }],
  ] as const) {
    const ranks = await ranksThat({ train }).opening;
    await assert.rejects(ranks.train({}, training), error, train);
  }
  const ranks = await ranksThat({ train: answers([0.5, 0.4]) }).opening;
  assert.deepEqual((await ranks.train({}, training)).losses, [0.5, 0.4]);
  await ranks.dispose();
});

test('a rank that ends as it starts, or as it opens the model, is named, and none is left', async () => {
  for (const dying of [{ hello: 'dies' }, { open: 'dies' }]) {
    const { started, opening } = ranksThat(dying);
    await assert.rejects(opening, {
      code: 'WORKER_FAILED',
      message: /^training on 2 ranks: rank 1 \(process \d+\) was ended by SIGKILL; the others were stopped$/,
      hint: 'run the same command to continue from the last checkpoint',
    });
    assert.deepEqual(
      started.map((worker) => worker.ended()),
      [true, true],
    );
  }
});
