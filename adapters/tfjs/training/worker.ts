import { Console } from 'node:console';
import { serveWorker } from '../../../src/protocol/worker-server.ts';
import { workerProtocol } from '../../../src/protocol/messages.ts';
import type { TrainRequest } from '../../../src/contract/training.ts';
import { loadEngine, statusOf } from '../backends.ts';
import { setTensorflowEnvironment } from '../tensorflow-environment.ts';
import { TrainingSession } from './session.ts';

// The trainer as a program of its own, on the backend that its argument names: adapters/PROTOCOL.md, «Training».

// Standard output is for answers alone; tfjs may have something to say.
globalThis.console = new Console(process.stderr);

const [backend = '', threads] = process.argv.slice(2);
setTensorflowEnvironment({ purpose: 'latency', ...(threads !== undefined && { threads: Number(threads) }) });

let session: TrainingSession | undefined;

function training(): TrainingSession {
  if (session === undefined) throw new Error('no training was prepared');
  return session;
}

await serveWorker({
  async hello() {
    const status = await statusOf(backend);
    return { protocol: workerProtocol, name: 'tfjs', backends: [{ name: backend, ...status }], kernels: [] };
  },
  async 'train-prepare'(question) {
    const { teacher, ...request } = question as unknown as TrainRequest & { teacher: TrainRequest['teacher'] | null };
    session = await TrainingSession.begin(await loadEngine(backend), { ...request, ...(teacher && { teacher }) });
    return {};
  },
  'train-epoch': async (question) => ({ ...(await training().epoch(question as never)) }),
  async 'train-evaluate'(question) {
    const scores = await training().evaluate(question as never);
    await training().write(String(question['output']), new Map(Object.entries(scores)));
    return {};
  },
  async 'train-translate'(question) {
    const classes = await training().translate(question as never);
    await training().write(String(question['output']), new Map([['classes', Float32Array.from(classes)]]));
    return {};
  },
  'train-importance': async (question) => ({ importance: await training().importance(question as never) }),
  async 'train-gradients'(question) {
    const { loss, gradients } = await training().gradients(question as never);
    await training().write(String(question['output']), gradients);
    return { loss };
  },
  async 'train-logits'(question) {
    const { logits, shape } = await training().logits(question as never);
    await training().write(String(question['output']), new Map([['logits', logits]]), shape);
    return {};
  },
  async 'train-save'(question) {
    await training().save(String(question['path']), question['optimizer'] === true);
    return {};
  },
  async 'train-load'(question) {
    await training().load(String(question['path']));
    return {};
  },
});
