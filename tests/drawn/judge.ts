import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as ort from '../../src/processes/onnxruntime.ts';
import type { Tensors } from '../../src/contract/tensor.ts';
import { attnswap } from '../run-cli.ts';
import type { DrawnGraph } from './graphs.ts';

/** What became of a model that was to be swapped. */
export interface Judgment {
  /** `wrong`: a file was written, and its outputs are others; `crashed`: anything but a refusal that gives its reason. */
  readonly verdict: 'right' | 'refused' | 'wrong' | 'crashed';
  readonly reason: string;
}

/** Largest ‖swapped − original‖ / ‖original‖ of outputs that differ by rounding alone. */
const roundingTolerance = 1e-5;

/** @throws where the original does not run */
export async function judgeGraph({ bytes, runs, feeds }: DrawnGraph, folder: string, variant = 'dense.fused'): Promise<Judgment> {
  const model = join(folder, 'drawn.onnx');
  await writeFile(model, bytes);
  return judgeSwap(model, runs.map(feeds), { variant });
}

/**
 * Swaps a model by the command line, and compares both files in ONNX Runtime alone: their output `out` on each of the given inputs.
 * @throws where the original does not run
 */
export async function judgeSwap(
  model: string,
  runs: readonly Tensors[],
  { variant = 'dense.fused', tolerance = roundingTolerance } = {},
): Promise<Judgment> {
  const out = join(dirname(model), 'swapped.onnx');
  await rm(out, { force: true });
  const { exitCode, stdout, stderr } = await attnswap(['swap', model, '--variant', variant, '--out', out, '--quiet']);
  const told = `${stderr} ${stdout}`.replaceAll(/\s+/g, ' ').trim();
  const written = existsSync(out);
  const difference = await largestDifference(model, written ? out : model, runs);
  await rm(out, { force: true });
  if (written && !(difference <= tolerance)) return { verdict: 'wrong', reason: `outputs differ by ${difference.toPrecision(2)}` };
  if (exitCode === 0) return { verdict: 'right', reason: `outputs differ by ${difference.toPrecision(2)}` };
  const refused = exitCode === 5 && !told.includes('please report') && !/ at \S+ \(?(?:file|node):/.test(told);
  return { verdict: refused ? 'refused' : 'crashed', reason: told.slice(0, 400) };
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
