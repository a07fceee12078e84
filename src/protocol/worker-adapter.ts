import type {
  Adapter,
  BackendStatus,
  ForkedProcess,
  ForkRequest,
  KernelDescription,
  KernelRequest,
  ModelRequest,
  OpenModel,
  PreparedKernel,
  RanksRequest,
  Unsupported,
} from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { Ranks } from '../contract/model-attention.ts';
import type { Shape } from '../contract/shape.ts';
import { findVariant } from '../variants/index.ts';
import { helloSchema, workerProtocol } from './messages.ts';
import type { Hello } from './messages.ts';
import type { Training, TrainRequest } from '../contract/training.ts';
import { trainOnWorker } from './worker-training.ts';
import { prepareOnWorker } from './worker-kernel.ts';
import { openGraphOnWorker, openModelOnWorker } from './worker-model.ts';
import type { GraphPorts } from './worker-model.ts';
import { openRanksOnWorkers } from './worker-ranks.ts';
import { environment, forkedWorker, forkWorker } from './forked-worker.ts';
import { sourceOf } from './swap-file.ts';
import { startWorker, trainingSeconds } from './worker-process.ts';
import type { WorkerCommand, WorkerProcess } from './worker-process.ts';
import { logitRefusal } from '../variants/reference.ts';

/** An adapter whose kernels run in a worker: a program in any language that speaks the worker protocol. */
export interface WorkerAdapterOptions extends WorkerCommand {
  readonly name: string;
  readonly backends: readonly string[];
  readonly kernels: readonly KernelDescription[];
  /** As of an {@link Adapter}. */
  readonly needs?: Adapter['needs'];
  /** The ONNX model that the worker runs for a request, where its kernel is one; undefined where the worker builds the kernel itself. */
  readonly graphOf?: (request: KernelRequest) => Uint8Array | Unsupported | undefined;
  /** Whether the worker answers the questions of training. */
  readonly trains?: boolean;
  /** Whether it answers those about models of its own framework. */
  readonly opensModels?: boolean;
  /** Of a worker that opens ONNX models: what a model reads and gives. */
  readonly portsOf?: (model: string | Uint8Array) => Promise<GraphPorts>;
  /** Backends whose workers may be forked from a process that has imported what they need: it has touched no device. */
  readonly forked?: readonly string[];
  /** What makes the worker start, where it does not. */
  readonly mend: string;
}

/** The adapter of a worker whose backends and kernels are known before it is started. */
export function workerAdapter(options: WorkerAdapterOptions): Adapter {
  let greeted: Promise<Hello | AttnswapError> | undefined;
  const { name, backends, kernels, mend } = options;
  return {
    name,
    backends,
    kernels,
    ...(options.needs !== undefined && { needs: options.needs }),
    async status(backend) {
      greeted ??= greet(options).catch(asFailure);
      const hello = await greeted;
      if (hello instanceof AttnswapError) return { available: false, reason: hello.message, mend };
      return statusIn(hello, backend);
    },
    prepare: (request) => prepare(options, request),
    ...(options.trains === true && { train: (request: TrainRequest) => train(options, request) }),
    ...((options.opensModels === true || options.portsOf !== undefined) && {
      openModel: (request: ModelRequest) => openModel(options, request),
      fork: (request: ForkRequest) => fork(options, request),
    }),
    ...(options.opensModels === true && {
      openRanks: (request: RanksRequest) => openRanks(options, request),
    }),
    inOneProcess: () => sharedAdapter(options),
  };
}

/** The same adapter with one process for kernels that follow each other. It is started again where a fault ended it. */
function sharedAdapter(options: WorkerAdapterOptions): Adapter & { close(): Promise<void> } {
  let running: { readonly worker: WorkerProcess; readonly hello: Hello } | undefined;
  let taken = false;
  const close = async () => {
    await running?.worker.close();
    running = undefined;
  };
  return {
    ...workerAdapter(options),
    close,
    async prepare(request) {
      if (taken)
        throw new AttnswapError(
          'WORKER_FAILED',
          `${options.name}: a process can hold only one kernel at a time; dispose of the previous one`,
        );
      if (running?.worker.ended() !== false) {
        const worker = startWorker(options);
        running = { worker, hello: await sayHello(worker, options) };
      }
      const status = statusIn(running.hello, request.backend);
      const refusal = refusalOf(options, status, request);
      const graph = refusal === undefined ? options.graphOf?.(request) : { unsupported: refusal };
      if (graph !== undefined && 'unsupported' in graph) return graph;
      taken = true;
      const leave = async () => {
        taken = false;
      };
      return prepareOnWorker(running.worker, request, { graph, energyCounter: energyCounterOf(status), leave });
    },
  };
}

/** The adapter of a worker that says itself what it can do. @throws WORKER_FAILED, WORKER_PROTOCOL */
export async function describedAdapter(command: WorkerCommand): Promise<Adapter> {
  const hello = await greet(command);
  const backends = hello.backends.map(({ name }) => name);
  return workerAdapter({ ...command, name: hello.name, backends, kernels: hello.kernels.map(describe), mend: '' });
}

function describe({ variant, kernel, summary, takesBias, lacking, scored }: Hello['kernels'][number]): KernelDescription {
  const { cost } = findVariant(variant);
  const all = ({ batch, heads, queries, keys }: Shape) => batch * heads * queries * keys;
  return {
    variant,
    kernel,
    summary,
    ...(takesBias === true && { takesBias }),
    ...(lacking !== undefined && { lacking }),
    scoredPairs: (parameters, shape) => (scored === 'all' ? all(shape) : cost(parameters, shape).scoredPairs),
  };
}

async function greet(command: WorkerCommand): Promise<Hello> {
  const worker = startWorker(command);
  const hello = await sayHello(worker, command);
  await worker.close();
  return hello;
}

async function sayHello(worker: WorkerProcess, { command }: WorkerCommand): Promise<Hello> {
  const hello = await worker.ask('hello', { protocol: workerProtocol }, helloSchema);
  if (hello.protocol === workerProtocol) return hello;
  await worker.close();
  throw new AttnswapError(
    'WORKER_PROTOCOL',
    `the worker ${command.join(' ')} speaks ${JSON.stringify(hello.protocol)}, expected ${workerProtocol}`,
    {
      hint: 'update the worker, or attnswap',
    },
  );
}

/** A worker for a backend, of a model where it opens one. */
async function begin(options: WorkerAdapterOptions, backend: string, model?: ModelRequest['model']): Promise<WorkerProcess> {
  return isForked(options, backend) ? forkWorker(options, await preloadOf(model)) : startWorker(options);
}

async function fork(options: WorkerAdapterOptions, { backend, model, env, signal }: ForkRequest): Promise<ForkedProcess | null> {
  if (!isForked(options, backend)) return null;
  // Who opens a model that cannot be read meets it again, and tells.
  const preload = await preloadOf(model).catch(() => null);
  const worker = await forkedWorker({ ...options, env: { ...environment(), ...env }, signal }, preload);
  // What it says of itself, the process that it was forked from would have said, too.
  return worker && { open: async (request) => openOn(worker, request, await options.portsOf?.(request.model)), end: () => worker.kill() };
}

function isForked({ forked }: WorkerAdapterOptions, backend: string): boolean {
  return forked?.includes(backend) === true;
}

async function preloadOf(model: ModelRequest['model'] | undefined): Promise<string | null> {
  return typeof model === 'string' ? sourceOf(model) : null;
}

async function prepare(options: WorkerAdapterOptions, request: KernelRequest): Promise<PreparedKernel | Unsupported> {
  const worker = await begin(options, request.backend);
  const status = statusIn(await sayHello(worker, options), request.backend);
  const refusal = refusalOf(options, status, request);
  const graph = refusal === undefined ? options.graphOf?.(request) : { unsupported: refusal };
  if (graph === undefined || !('unsupported' in graph))
    return prepareOnWorker(worker, request, { graph, energyCounter: energyCounterOf(status), leave: () => worker.close() });
  await worker.close();
  return graph;
}

async function train(options: WorkerAdapterOptions, request: TrainRequest): Promise<Training | Unsupported> {
  const worker = await begin({ ...options, timeoutSeconds: trainingSeconds, signal: request.signal }, request.backend);
  const status = statusIn(await sayHello(worker, options), request.backend);
  if (status.available) return trainOnWorker(worker, request);
  await worker.close();
  return { unsupported: `${request.backend}: ${status.reason}${status.mend === '' ? '' : `; ${status.mend}`}` };
}

async function openModel(options: WorkerAdapterOptions, request: ModelRequest): Promise<OpenModel | Unsupported> {
  const ports = await options.portsOf?.(request.model);
  const worker = await begin(options, request.backend, request.model);
  const status = statusIn(await sayHello(worker, options), request.backend);
  if (status.available) return openOn(worker, request, ports);
  await worker.close();
  return { unsupported: `${request.backend}: ${status.reason}${status.mend === '' ? '' : `; ${status.mend}`}` };
}

function openOn(worker: WorkerProcess, request: ModelRequest, ports: GraphPorts | undefined): Promise<OpenModel | Unsupported> {
  return ports === undefined ? openModelOnWorker(worker, request) : openGraphOnWorker(worker, request, ports);
}

function openRanks(options: WorkerCommand, request: RanksRequest): Promise<Ranks> {
  const start = () => startWorker({ ...options, timeoutSeconds: trainingSeconds, signal: request.signal });
  const greet = async (worker: WorkerProcess) => {
    const status = statusIn(await sayHello(worker, options), request.backend);
    if (status.available) return;
    throw new AttnswapError('UNSUPPORTED', `${request.backend}: ${status.reason}`, { hint: status.mend === '' ? undefined : status.mend });
  };
  return openRanksOnWorkers(start, greet, request);
}

function refusalOf(
  { kernels }: WorkerAdapterOptions,
  status: BackendStatus,
  { backend, variant, kernel, inputs }: KernelRequest,
): string | undefined {
  if (!status.available) return `${backend}: ${status.reason}${status.mend === '' ? '' : `; ${status.mend}`}`;
  const known = kernels.find((each) => each.variant === variant && each.kernel === kernel);
  const refusal = logitRefusal(`${variant}.${kernel} on ${backend}`, known ?? {}, inputs);
  if (refusal !== undefined) return refusal;
  const { dtype } = inputs.shape;
  return status.dtypes.includes(dtype) ? undefined : `${backend} has no ${dtype} kernels, only ${status.dtypes.join(', ')}`;
}

function statusIn({ name, backends, kernels }: Hello, backend: string): BackendStatus {
  const found = backends.find((known) => known.name === backend);
  if (found === undefined)
    return {
      available: false,
      reason: `${name} has no backend ${backend}, only ${backends.map((known) => known.name).join(', ')}`,
      mend: '',
    };
  if (!found.available) return found;
  const { details, ...rest } = found;
  const lacking = Object.fromEntries(
    kernels.flatMap(({ variant, kernel, lacking: reasons }) => {
      const reason = reasons?.[backend];
      return reason === undefined ? [] : [[`${variant}.${kernel}`, reason]];
    }),
  );
  return { ...rest, ...(details !== undefined && { details }), lacking };
}

function energyCounterOf(status: BackendStatus): string | undefined {
  return status.available ? status.energyCounter : undefined;
}

function asFailure(error: unknown): AttnswapError {
  if (error instanceof AttnswapError) return error;
  throw error;
}
