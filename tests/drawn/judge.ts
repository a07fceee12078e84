import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as ort from '../../src/processes/onnxruntime.ts';
import { AttnswapError } from '../../src/contract/errors.ts';
import type { Tensors } from '../../src/contract/tensor.ts';
import { swap } from '../../src/operations/swap.ts';
import { attnswap } from '../run-cli.ts';
import type { DrawnGraph } from './graphs.ts';

/** What became of a model that was to be swapped. */
export interface Judgment {
  /** `wrong`: a file was written, and its outputs are others; `crashed`: anything but a refusal that gives its reason; a valid model is none. */
  readonly verdict: 'right' | 'refused' | 'wrong' | 'crashed';
  readonly reason: string;
}

/** Largest ‖swapped − original‖ / ‖original‖ of outputs that differ by rounding alone. */
const roundingTolerance = 1e-5;

/** How a swap ended: undefined where it says that it was made, else what it told, and whether that is a refusal. */
type Ended = { readonly refused: boolean; readonly told: string } | undefined;
type Swap = (model: string, variant: string, out: string) => Promise<Ended>;

interface Judging {
  readonly variant?: string;
  readonly tolerance?: number;
  /** @default by the command line, so that even a crash of the runtime is one model's alone */
  readonly swap?: Swap;
}

/** @throws where the original does not run */
export async function judgeGraph({ bytes, runs, feeds }: DrawnGraph, folder: string, judging?: Judging): Promise<Judgment> {
  const model = join(folder, 'drawn.onnx');
  await writeFile(model, bytes);
  return judgeSwap(model, runs.map(feeds), judging);
}

/**
 * Swaps a model, and compares both files in ONNX Runtime alone: their output `out` on each of the given inputs.
 * @throws where the original does not run
 */
export async function judgeSwap(
  model: string,
  runs: readonly Tensors[],
  { variant = 'dense.fused', tolerance = roundingTolerance, swap: swapModel = swapByCommand }: Judging = {},
): Promise<Judgment> {
  const out = join(dirname(model), 'swapped.onnx');
  await rm(out, { force: true });
  const ended = await swapModel(model, variant, out);
  const written = existsSync(out);
  const difference = await largestDifference(model, written ? out : model, runs);
  await rm(out, { force: true });
  if (written && !(difference <= tolerance)) return { verdict: 'wrong', reason: `outputs differ by ${difference.toPrecision(2)}` };
  if (ended === undefined) return { verdict: 'right', reason: `outputs differ by ${difference.toPrecision(2)}` };
  return { verdict: ended.refused ? 'refused' : 'crashed', reason: ended.told.slice(0, 400) };
}

async function swapByCommand(model: string, variant: string, out: string): Promise<Ended> {
  const { exitCode, stdout, stderr } = await attnswap(['swap', model, '--variant', variant, '--out', out, '--quiet']);
  if (exitCode === 0) return undefined;
  const told = `${stderr} ${stdout}`.replaceAll(/\s+/g, ' ').trim();
  return { told, refused: exitCode === 5 && !/please report|INVALID_MODEL/.test(told) && !/ at \S+ \(?(?:file|node):/.test(told) };
}

/** By the operation, in this process. */
export async function swapHere(model: string, variant: string, out: string): Promise<Ended> {
  try {
    await swap({ model, variants: [variant], out });
    return undefined;
  } catch (error) {
    if (!(error instanceof AttnswapError)) return { refused: false, told: String(error) };
    return { refused: error.code !== 'INVALID_MODEL' && !error.hint?.includes('please report'), told: `${error.message} [${error.code}]` };
  }
}

async function largestDifference(model: string, swapped: string, runs: readonly Tensors[]): Promise<number> {
  const [original, other] = await Promise.all([model, swapped].map(open));
  let largest = 0;
  try {
    for (const feeds of runs) {
      const expected = await outputOf(original!, feeds);
      const actual = await outputOf(other!, feeds).catch(() => undefined);
      largest = Math.max(largest, actual === undefined ? Infinity : relativeDifference(actual, expected));
    }
    return largest;
  } finally {
    await Promise.all([original?.release(), other?.release()]);
  }
}

async function open(path: string): Promise<ort.InferenceSession> {
  return ort.InferenceSession.create(path, { intraOpNumThreads: 1, logSeverityLevel: 4 });
}

async function outputOf(session: ort.InferenceSession, feeds: Tensors): Promise<Float32Array> {
  const given = Object.entries(feeds).map(
    ([name, { type, data, dims }]) => [name, new ort.Tensor(type, data as Float32Array, [...dims])] as const,
  );
  const { out } = await session.run(Object.fromEntries(given));
  return out!.data as Float32Array;
}

/** NaN and infinities anywhere are a difference without bound. */
function relativeDifference(actual: Float32Array, expected: Float32Array): number {
  let [difference, size] = [0, 0];
  expected.forEach((value, at) => {
    difference += (actual[at]! - value) ** 2;
    size += value ** 2;
  });
  const relative = Math.sqrt(difference / size);
  return actual.length === expected.length && Number.isFinite(relative) ? relative : Infinity;
}
