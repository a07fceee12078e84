import { setTimeout } from 'node:timers/promises';
import { AttnswapError } from '../contract/errors.ts';
import { createCaseInputs } from '../variants/case-inputs.ts';
import { conformanceCases } from '../variants/cases.ts';
import { helloSchema, workerProtocol } from './messages.ts';
import { describedAdapter } from './worker-adapter.ts';
import { startWorker } from './worker-process.ts';
import type { WorkerCommand } from './worker-process.ts';

/** One thing that adapters/PROTOCOL.md asks of a worker. */
export interface ProtocolFinding {
  readonly what: string;
  /** Why it does not hold; absent where it does. */
  readonly reason?: string;
}

/** What a worker does beside computing: each demand of the protocol in a process of its own. Without a hello, nothing else is asked. */
export async function checkProtocol(command: WorkerCommand): Promise<ProtocolFinding[]> {
  const hello = await finding('answers hello with this protocol version', async () => void (await describedAdapter(command)));
  if (hello.reason !== undefined) return [hello];
  return [
    hello,
    await finding('answers an unknown question with an error and keeps running', () => unknownQuestion(command)),
    await finding('exits when its standard input closes', () => endOfInput(command)),
    await finding('samples, measures memory and reports what ran', () => wholeCell(command)),
  ];
}

async function finding(what: string, check: () => Promise<void>): Promise<ProtocolFinding> {
  try {
    await check();
    return { what };
  } catch (error) {
    if (error instanceof AttnswapError) return { what, reason: error.message };
    throw error;
  }
}

async function unknownQuestion(command: WorkerCommand): Promise<void> {
  const worker = startWorker(command);
  try {
    await worker.ask('hello', { protocol: workerProtocol }, helloSchema);
    if (!(await worker.isRefused('no-such-question'))) throw wrong('it answered as if it knew the question "no-such-question"');
    await worker.ask('hello', { protocol: workerProtocol }, helloSchema);
  } finally {
    await worker.close();
  }
}

const patienceSeconds = 5;

async function endOfInput(command: WorkerCommand): Promise<void> {
  const worker = startWorker(command);
  try {
    await worker.ask('hello', { protocol: workerProtocol }, helloSchema);
    const ended = await Promise.race([worker.endInput(), setTimeout(patienceSeconds * 1000, 'still there' as const)]);
    if (ended === 'still there') throw wrong(`it still ran ${patienceSeconds} s later`);
  } finally {
    await worker.close();
  }
}

/** The first kernel of the first backend that is there, on the smallest case of its variant. */
async function wholeCell(command: WorkerCommand): Promise<void> {
  const adapter = await describedAdapter(command);
  const backend = await firstAvailable(adapter);
  const { variant, kernel, lacking } = adapter.kernels.find((known) => known.lacking?.[backend] === undefined) ?? adapter.kernels[0]!;
  if (lacking?.[backend] !== undefined) throw wrong(`${backend} has none of the kernels`);
  const given = conformanceCases.find((known) => known.variant === variant && known.shape.keys === 64)!;
  for (const purpose of ['latency', 'memory'] as const) {
    const request = { backend, variant, kernel, parameters: given.parameters, inputs: createCaseInputs(given), purpose };
    const prepared = await adapter.prepare(request);
    if ('unsupported' in prepared) throw wrong(`${variant}.${kernel} is unsupported: ${prepared.unsupported}`);
    try {
      await prepared.run();
      if (purpose === 'memory') continue;
      const [one, many] = [await prepared.timeCalls!(1), await prepared.timeCalls!(50)];
      if (many < 2 * one) throw wrong(`50 calls took ${many} ns, one took ${one} ns: does sample make as many calls as requested?`);
      await prepared.dispatch();
    } finally {
      await prepared.dispose();
    }
  }
}

async function firstAvailable(adapter: Awaited<ReturnType<typeof describedAdapter>>): Promise<string> {
  for (const backend of adapter.backends) if ((await adapter.status(backend)).available) return backend;
  throw wrong('none of its backends is available here');
}

function wrong(message: string): AttnswapError {
  return new AttnswapError('WORKER_PROTOCOL', message);
}
