import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import type { Tensors } from '../../src/contract/tensor.ts';
import { attnswap } from '../run-cli.ts';
import type { DrawnGraph } from './graphs.ts';

/** What became of a drawn graph that was to be swapped. */
export interface Judgment {
  /** `wrong`: a file was written, and its outputs are others; `crashed`: anything but a refusal that gives its reason. */
  readonly verdict: 'right' | 'refused' | 'wrong' | 'crashed';
  readonly reason: string;
}

/** Largest ‖swapped − original‖ / ‖original‖ of outputs that differ by rounding alone. */
const tolerance = 1e-5;

/**
 * Swaps a drawn graph by the command line, and compares both files in ONNX Runtime alone, on all of the graph's runs.
 * @throws where the original does not run
 */
export async function judgeGraph({ bytes, runs, feeds }: DrawnGraph, folder: string, variant = 'dense.fused'): Promise<Judgment> {
  const [model, out] = [join(folder, 'drawn.onnx'), join(folder, 'swapped.onnx')];
  await rm(out, { force: true });
  await writeFile(model, bytes);
  const original = await open(model);
  const { exitCode, stdout, stderr } = await attnswap(['swap', model, '--variant', variant, '--out', out, '--quiet'], { cwd: folder });
  const told = `${stderr} ${stdout}`.replaceAll(/\s+/g, ' ').trim();
  let largest = 0;
  let swapped: ort.InferenceSession | undefined;
  try {
    if (existsSync(out)) swapped = await open(out);
    for (const run of runs) {
      const given = feeds(run);
      const expected = await outputOf(original, given);
      if (swapped === undefined) continue;
      const actual = await outputOf(swapped, given).catch(() => undefined);
      const difference = actual === undefined ? Infinity : relativeDifference(actual, expected);
      largest = Math.max(largest, difference);
    }
  } finally {
    await Promise.all([original.release(), swapped?.release()]);
  }
  if (swapped !== undefined && largest > tolerance) return { verdict: 'wrong', reason: `outputs differ by ${largest.toPrecision(2)}` };
  if (exitCode === 0) return { verdict: 'right', reason: `outputs differ by ${largest.toPrecision(2)}` };
  const refused = exitCode === 5 && !told.includes('please report') && !/ at \S+ \(?(?:file|node):/.test(told);
  return { verdict: refused ? 'refused' : 'crashed', reason: told.slice(0, 400) };
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
