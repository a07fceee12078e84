import { rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { BoundModel, ModelInput, ModelRequest, OpenModel, Unsupported } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { ModelAttention, PlacedAttentions } from '../contract/model-attention.ts';
import type { Tensors } from '../contract/tensor.ts';
import { readTensors, writeTensors } from '../data/tensor-files.ts';
import { temporaryFolder } from '../processes/temporary.ts';
import { readCaptured } from './captured-calls.ts';
import { dispatchSchema, doneSchema, memorySchema } from './messages.ts';
import {
  graphOpenSchema,
  modelCaptureSchema,
  modelOpenSchema,
  modelProofSchema,
  modelRunSchema,
  modelSitesSchema,
  modelSwapSchema,
  modelTrainSchema,
} from './model-messages.ts';
import { isSwapFile, readSwapFile } from './swap-file.ts';
import { timeOnWorker } from './worker-kernel.ts';
import { trainingSeconds } from './worker-process.ts';
import type { WorkerProcess } from './worker-process.ts';

/** Opens a model in a worker that has said hello; disposing of it ends the process. @throws WORKER_FAILED, WORKER_PROTOCOL, INVALID_MODEL */
export async function openModelOnWorker(worker: WorkerProcess, request: ModelRequest): Promise<OpenModel | Unsupported> {
  const { backend, model, purpose = 'latency', threads = null, pass } = request;
  if (typeof model !== 'string') return refused(worker, `${backend} opens PyTorch models, not ONNX graphs`);
  const { source, placed, adapters = null } = isSwapFile(model) ? await readSwapFile(model) : { source: resolve(model), placed: {} };
  const opened = await worker.ask('model-open', { backend, model: source, purpose, threads }, modelOpenSchema);
  if ('unsupported' in opened) return refused(worker, opened.unsupported);
  if (Object.keys(placed).length > 0) {
    const swapped = await worker.ask('model-swap', { sites: placed, adapters }, modelSwapSchema);
    if ('unsupported' in swapped) return refused(worker, swapped.unsupported);
  }
  const folder = await temporaryFolder('model');
  const hosted = new WorkerModel(worker, { folder, inputs: opened.inputs, purpose, pass });
  return {
    inputs: opened.inputs,
    pid: worker.pid,
    attention: attentionOf(worker, hosted, opened),
    bind: (feeds) => hosted.bind(feeds),
    async dispose() {
      await worker.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What an ONNX model reads and gives, as its file says. */
export interface GraphPorts {
  readonly inputs: readonly ModelInput[];
  readonly outputs: readonly string[];
}

/** The same for an ONNX model, whose graph tells what it attends with. */
export async function openGraphOnWorker(
  worker: WorkerProcess,
  { backend, model, purpose = 'latency', threads, pass }: ModelRequest,
  ports: GraphPorts,
): Promise<OpenModel | Unsupported> {
  if (pass !== undefined) return refused(worker, `${backend} computes no gradients`);
  const folder = await temporaryFolder('model');
  const dispose = async () => {
    await worker.close();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const path = typeof model === 'string' ? resolve(model) : join(folder, 'model.onnx');
    if (typeof model !== 'string') await writeFile(path, model);
    const asked = purpose === 'memory' ? purpose : 'latency';
    const fields = { backend, model: path, purpose: asked, threads: threads ?? null, ...ports };
    const opened = await worker.ask('model-open', fields, graphOpenSchema);
    if ('unsupported' in opened) {
      await dispose();
      return { unsupported: opened.unsupported };
    }
  } catch (error) {
    await dispose();
    throw error;
  }
  const hosted = new WorkerModel(worker, { folder, inputs: ports.inputs, purpose, tellsDispatch: true });
  return { ...ports, pid: worker.pid, bind: (feeds) => hosted.bind(feeds), dispose };
}

async function refused(worker: WorkerProcess, unsupported: string): Promise<Unsupported> {
  await worker.close();
  return { unsupported };
}

interface Hosting {
  /** For the files that questions name. */
  readonly folder: string;
  readonly inputs: readonly ModelInput[];
  readonly purpose: NonNullable<ModelRequest['purpose']>;
  readonly pass?: ModelRequest['pass'] | undefined;
  /** Whether the worker tells what a call of a model runs. */
  readonly tellsDispatch?: boolean;
}

/** A model that a worker holds, and the inputs that it holds of it. */
class WorkerModel {
  readonly #worker: WorkerProcess;
  readonly #hosting: Hosting;
  /** Whose inputs lie in the worker. */
  #holder: object | undefined;

  constructor(worker: WorkerProcess, hosting: Hosting) {
    this.#worker = worker;
    this.#hosting = hosting;
  }

  path(name: string): string {
    return join(this.#hosting.folder, `${name}.safetensors`);
  }

  async write(feeds: Tensors): Promise<string> {
    const { inputs } = this.#hosting;
    const required = inputs.flatMap(({ name, optional }) => (optional === true ? [] : name));
    const known = new Set(inputs.map(({ name }) => name));
    const got = Object.keys(feeds);
    if (!got.every((name) => known.has(name)) || !required.every((name) => Object.hasOwn(feeds, name)))
      throw new AttnswapError('INVALID_INPUTS', `the model: expected the inputs ${required.join(', ')}, got ${got.join(', ')}`);
    await writeTensors(this.path('inputs'), feeds);
    return this.path('inputs');
  }

  /** Forgets the inputs in place: what the model gives has changed. */
  changed(): void {
    this.#holder = undefined;
  }

  bind(feeds: Tensors): BoundModel {
    const worker = this.#worker;
    const me = {};
    let outputs: Tensors | undefined;
    let device: { readonly bytes: number; readonly method: string } | null = null;
    /** The first call puts the inputs in place and gives the outputs; those that follow are the same call. */
    const settle = async (): Promise<boolean> => {
      if (this.#holder === me) return false;
      const { pass } = this.#hosting;
      const given = { inputs: await this.write(feeds), output: this.path('outputs'), ...(pass !== undefined && { pass }) };
      const ran = await worker.ask('model-run', given, modelRunSchema);
      if ('unsupported' in ran) throw new AttnswapError('UNSUPPORTED', ran.unsupported);
      if (ran.pass !== pass) throw new AttnswapError('UNSUPPORTED', 'the worker computes no gradients of whole models');
      outputs = await readTensors(this.path('outputs'));
      this.#holder = me;
      return true;
    };
    const timeCalls = async (calls: number): Promise<number> => {
      await settle();
      return timeOnWorker(worker, calls);
    };
    return {
      timeCalls,
      run: async () => {
        if (await settle()) return;
        if (this.#hosting.purpose !== 'memory') return void (await timeOnWorker(worker, 1));
        const { peakDeviceBytes, deviceMethod } = await worker.ask('memory', {}, memorySchema);
        device = peakDeviceBytes === null ? null : { bytes: peakDeviceBytes, method: deviceMethod! };
      },
      outputs: () => {
        if (outputs === undefined) throw new AttnswapError('WORKER_FAILED', 'no call has ended, so there are no outputs');
        return outputs;
      },
      peakDeviceBytes: async () => device,
      ...(this.#hosting.tellsDispatch === true && {
        dispatch: async () => {
          await settle();
          return worker.ask('dispatch', {}, dispatchSchema);
        },
      }),
    };
  }
}

function attentionOf(
  worker: WorkerProcess,
  hosted: WorkerModel,
  { model, attention, longest, undecoded }: Pick<ModelAttention, 'model' | 'longest' | 'undecoded'> & { readonly attention: string | null },
): ModelAttention {
  return {
    model,
    implementation: attention,
    longest,
    undecoded,
    async sites(feeds) {
      const answer = await worker.ask('model-sites', { inputs: await hosted.write(feeds) }, modelSitesSchema);
      if ('unsupported' in answer) throw new AttnswapError('UNSUPPORTED', answer.unsupported);
      return answer;
    },
    async capture(feeds, modules) {
      const output = hosted.path('captured');
      const { calls } = await worker.ask('model-capture', { inputs: await hosted.write(feeds), modules, output }, modelCaptureSchema);
      return readCaptured(output, calls);
    },
    async swap(placed: PlacedAttentions, adapters?: string) {
      hosted.changed();
      const answer = await worker.ask('model-swap', { sites: placed, adapters: adapters ?? null }, modelSwapSchema);
      if ('unsupported' in answer) throw new AttnswapError('UNSUPPORTED', answer.unsupported);
    },
    proof: () => worker.ask('model-proof', {}, modelProofSchema),
    train(placed, training) {
      hosted.changed();
      return worker.ask('model-train', { sites: placed, ...training }, modelTrainSchema(training), trainingSeconds);
    },
    async save(folder, { placed, adapters = null, source, version }) {
      const paths = { folder: resolve(folder), source: resolve(source) };
      await worker.ask('model-save', { ...paths, sites: placed, adapters, version }, doneSchema);
    },
  };
}
