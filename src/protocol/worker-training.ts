import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { AttnswapError } from '../contract/errors.ts';
import type { ItemScores, Training, TrainRequest } from '../contract/training.ts';
import { floatsOf, openSafetensors } from '../inputs/safetensors.ts';
import { temporaryFolder } from '../processes/temporary.ts';
import { doneSchema } from './messages.ts';
import type { WorkerProcess } from './worker-process.ts';

const figures = z.array(z.number()).max(1e6);
const epochSchema = z.object({ losses: figures, gradientNorms: figures, diverged: z.boolean(), elapsedNs: z.number().positive() });
const importanceSchema = z.object({ importance: z.array(z.array(z.number())) });
const lossSchema = z.object({ loss: z.number() });

/** Begins a training in a worker that has said hello; closing it ends the process. @throws WORKER_FAILED, WORKER_PROTOCOL */
export async function trainOnWorker(worker: WorkerProcess, request: TrainRequest): Promise<Training> {
  const { backend, testbed, weights, attention, optimizer, teacher = null, threads = null } = request;
  await worker.ask('train-prepare', { backend, testbed, weights, attention, optimizer, teacher, threads }, doneSchema);
  const folder = await temporaryFolder('training');
  const output = join(folder, 'output.safetensors');
  return {
    epoch: (given) => worker.ask('train-epoch', given, epochSchema),
    async evaluate(given) {
      await worker.ask('train-evaluate', { ...given, output }, doneSchema);
      return scoresOf(await readFloats(output), output);
    },
    async translate(given) {
      await worker.ask('train-translate', { ...given, output }, doneSchema);
      return Int32Array.from(require(await readFloats(output), 'classes', output));
    },
    importance: async (given) => (await worker.ask('train-importance', given, importanceSchema)).importance,
    async gradients(given) {
      const { loss } = await worker.ask('train-gradients', { ...given, output }, lossSchema);
      return { loss, gradients: await readFloats(output) };
    },
    async logits(given) {
      await worker.ask('train-logits', { ...given, output }, doneSchema);
      return require(await readFloats(output), 'logits', output);
    },
    save: async (path, { optimizer }) => void (await worker.ask('train-save', { path, optimizer }, doneSchema)),
    load: async (path) => void (await worker.ask('train-load', { path }, doneSchema)),
    async close() {
      await worker.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function readFloats(path: string): Promise<Map<string, Float32Array>> {
  const file = await openSafetensors(path);
  try {
    const tensors = new Map<string, Float32Array>();
    for (const [name, tensor] of file.tensors) tensors.set(name, floatsOf(await file.bytes(tensor), 'F32'));
    return tensors;
  } finally {
    await file.close();
  }
}

function scoresOf(tensors: ReadonlyMap<string, Float32Array>, path: string): ItemScores {
  const layers = tensors.get('layers');
  return { correct: require(tensors, 'correct', path), bits: require(tensors, 'bits', path), ...(layers !== undefined && { layers }) };
}

function require(tensors: ReadonlyMap<string, Float32Array>, name: string, path: string): Float32Array {
  const found = tensors.get(name);
  if (found === undefined)
    throw new AttnswapError('WORKER_PROTOCOL', `${path}: no tensor ${name}; it has ${[...tensors.keys()].join(', ')}`);
  return found;
}
