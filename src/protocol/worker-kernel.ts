import { createHash } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeviceEnergy, Dispatch, Gradients, KernelRequest, PreparedKernel, Unsupported } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { AttentionInputs } from '../contract/inputs.ts';
import { readGradients, readOutput, writeInputs } from '../inputs/captured.ts';
import { temporaryFolder } from '../processes/temporary.ts';
import { dispatchSchema, doneSchema, energySchema, memorySchema, prepareSchema, sampleSchema } from './messages.ts';
import type { WorkerProcess } from './worker-process.ts';

/**
 * Puts a request's inputs, and its kernel where that is an ONNX model, in place in a worker that has said hello. Disposing of the kernel calls
 * `leave`: it ends the process, or frees it for the next kernel.
 */
export async function prepareOnWorker(
  worker: WorkerProcess,
  request: KernelRequest,
  {
    graph,
    energyCounter,
    leave,
  }: { readonly graph: Uint8Array | undefined; readonly energyCounter: string | undefined; leave(): Promise<void> },
): Promise<PreparedKernel | Unsupported> {
  const folder = await temporaryFolder('worker');
  const release = async () => {
    await leave();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const path = join(folder, 'inputs.safetensors');
    await writeInputs(path, request.inputs, {}, request.outputGradient);
    const graphPath = join(folder, 'kernel.onnx');
    if (graph !== undefined) await writeFile(graphPath, graph);
    const fields = { ...fieldsOf(request, path), ...(graph !== undefined && { graph: graphPath }) };
    const reply = await worker.ask('prepare', fields, prepareSchema);
    if (!('unsupported' in reply)) {
      requireSameInputs(reply.inputs, request.inputs);
      return new WorkerKernel(worker, request, { output: join(folder, 'output.safetensors'), release }, energyCounter);
    }
    await release();
    return reply;
  } catch (error) {
    await release();
    throw error;
  }
}

function fieldsOf({ inputs, ...request }: KernelRequest, path: string): Record<string, unknown> {
  const { backend, variant, parameters, kernel, threads = null } = request;
  const purpose = request.purpose === 'memory' ? 'memory' : 'latency';
  const pass = request.outputGradient === undefined ? 'forward' : 'forward+backward';
  return { backend, variant, parameters, kernel, purpose, pass, threads, shape: inputs.shape, scale: inputs.scale, inputs: path };
}

/** That both sides measure the same numbers is not left to trust. */
function requireSameInputs(got: string, { query, key, value }: AttentionInputs): void {
  const hash = createHash('sha256');
  for (const { buffer, byteOffset, byteLength } of [query, key, value]) hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  const expected = hash.digest('hex');
  if (got === expected) return;
  throw new AttnswapError('WORKER_PROTOCOL', `the worker read other inputs: SHA-256 of q, k and v is ${got}, expected ${expected}`, {
    hint: 'tensors are little-endian f32, row-major, at the offsets given in the header',
  });
}

/** Nanoseconds that calls of what a worker holds took, by its own clock, which cannot have seen more time pass than this one. */
export async function timeOnWorker(worker: WorkerProcess, calls: number): Promise<number> {
  const start = process.hrtime.bigint();
  const { elapsedNs } = await worker.ask('sample', { calls }, sampleSchema);
  const mostNs = Number(process.hrtime.bigint() - start);
  if (elapsedNs <= mostNs) return elapsedNs;
  throw new AttnswapError('WORKER_PROTOCOL', `the worker reports ${elapsedNs} ns for ${calls} calls, but answered within ${mostNs} ns`);
}

class WorkerKernel implements PreparedKernel {
  readonly pid: number;
  readonly deviceEnergy: DeviceEnergy | undefined;
  readonly #worker: WorkerProcess;
  readonly #request: KernelRequest;
  readonly #files: { readonly output: string; release(): Promise<void> };
  #device: { readonly bytes: number; readonly method: string } | null = null;
  #called = false;

  constructor(
    worker: WorkerProcess,
    request: KernelRequest,
    files: { readonly output: string; release(): Promise<void> },
    energyCounter: string | undefined,
  ) {
    this.pid = worker.pid;
    this.deviceEnergy = energyCounter === undefined ? undefined : { counter: energyCounter, joules: () => this.#joules() };
    this.#worker = worker;
    this.#request = request;
    this.#files = files;
  }

  async run(): Promise<void> {
    if (this.#request.purpose !== 'memory') await this.timeCalls(1);
    else {
      const { peakDeviceBytes, deviceMethod } = await this.#worker.ask('memory', {}, memorySchema);
      this.#device = peakDeviceBytes === null ? null : { bytes: peakDeviceBytes, method: deviceMethod! };
    }
    this.#called = true;
  }

  timeCalls(calls: number): Promise<number> {
    return timeOnWorker(this.#worker, calls);
  }

  async repeat(calls: number): Promise<void> {
    await this.#worker.ask('sample', { calls, purpose: 'energy' }, sampleSchema);
  }

  async output(): Promise<Float32Array> {
    return readOutput(await this.#check('output'), this.#request.inputs.shape);
  }

  async gradients(): Promise<Gradients> {
    if (this.#request.outputGradient === undefined)
      throw new AttnswapError('WORKER_FAILED', `${this.#request.backend}: calls are forward only, so there are no gradients`);
    return readGradients(await this.#check('gradients'), this.#request.inputs.shape);
  }

  /** One more call, its results in a file. */
  async #check(what: string): Promise<string> {
    if (!this.#called) throw new AttnswapError('WORKER_FAILED', `${this.#request.backend}: no call has ended, so there is no ${what}`);
    await this.#worker.ask('check', { output: this.#files.output }, doneSchema);
    return this.#files.output;
  }

  async #joules(): Promise<number> {
    const reply = await this.#worker.ask('energy', {}, energySchema);
    if ('joules' in reply) return reply.joules;
    throw new AttnswapError('UNSUPPORTED', reply.unavailable);
  }

  async dispatch(): Promise<Dispatch> {
    return this.#worker.ask('dispatch', {}, dispatchSchema);
  }

  async peakDeviceBytes() {
    return this.#device;
  }

  async dispose(): Promise<void> {
    await this.#files.release();
  }
}
