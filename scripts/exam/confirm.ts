import * as ort from '../../src/processes/onnxruntime.ts';
import { numbersOf } from '../../src/model/sites/mask-sources.ts';
import type { Tensor } from '../../src/contract/tensor.ts';
import { feedsFor, keptTokens } from './feeds.ts';
import type { Case } from './feeds.ts';

/** One sequence and several, without padding and with it on either side, with and without a past, a single token behind a past; 200 tokens are more than any window holds. */
const cases: readonly Case[] = [
  { batch: 1, length: 12, past: 0, padded: 'none' },
  { batch: 3, length: 12, past: 0, padded: 'right' },
  { batch: 3, length: 33, past: 0, padded: 'left' },
  { batch: 1, length: 33, past: 0, padded: 'none' },
  { batch: 2, length: 200, past: 0, padded: 'right' },
  { batch: 1, length: 12, past: 7, padded: 'none' },
  { batch: 3, length: 33, past: 7, padded: 'left' },
  { batch: 3, length: 1, past: 20, padded: 'right' },
];

/** How two models compare in ONNX Runtime alone. */
export interface Confirmation {
  /** Cases in which the original runs. */
  readonly ran: number;
  /** Why the first of the others does not run, as the runtime says it. */
  readonly notRun?: string;
  /** The largest ‖swapped − original‖ / ‖original‖ of an output at kept positions; Infinity where the swapped model fails. */
  readonly largest: number;
}

/** Runs both models on the same inputs. */
export async function confirm(original: string, swapped: string): Promise<Confirmation> {
  const [one, other] = await Promise.all([original, swapped].map(open));
  let ran = 0;
  let notRun: string | undefined;
  let largest = 0;
  try {
    const hasPast = one!.inputNames.some((name) => name.includes('past'));
    for (const [seed, at] of cases.entries()) {
      if (at.past > 0 && !hasPast) continue;
      const feeds = feedsFor(one!.inputMetadata, at, seed);
      const expected = await one!.run(feeds).catch((error: unknown) => error as Error);
      if (expected instanceof Error) {
        notRun ??= `${at.batch} × ${at.length}, past ${at.past}: ${expected.message.split('\n')[0]}`;
        continue;
      }
      ran += 1;
      const actual = await other!.run(feeds).catch(() => undefined);
      for (const name of one!.outputNames) largest = Math.max(largest, difference(expected[name]!, actual?.[name], at));
    }
  } finally {
    await Promise.all([one?.release(), other?.release()]);
  }
  return { ran, largest, ...(notRun !== undefined && { notRun }) };
}

async function open(path: string): Promise<ort.InferenceSession> {
  return ort.InferenceSession.create(path, { intraOpNumThreads: 1, logSeverityLevel: 4 });
}

/** At positions of kept tokens, and where the original gives a number; whole numbers must be the same. */
function difference(expected: ort.Tensor, actual: ort.Tensor | undefined, at: Case): number {
  if (actual === undefined || actual.dims.join() !== expected.dims.join()) return Infinity;
  const [wanted, got] = [expected, actual].map(valuesOf);
  const isKept = keptElements(expected.dims, at);
  let [error, size] = [0, 0];
  wanted!.forEach((value, place) => {
    if (!Number.isFinite(value) || !isKept(place)) return;
    error += (got![place]! - value) ** 2;
    size += value ** 2;
  });
  const relative = error === 0 ? 0 : Math.sqrt(error / size);
  return Number.isNaN(relative) ? Infinity : relative;
}

function valuesOf({ type, data, dims }: ort.Tensor): Float32Array {
  const bits = type === 'float16' && !(data instanceof Uint16Array);
  const view = data as unknown as { buffer: ArrayBuffer; byteOffset: number; length: number };
  return numbersOf({ type, dims, data: bits ? new Uint16Array(view.buffer, view.byteOffset, view.length) : data } as Tensor);
}

/** Which elements of an output belong to kept tokens: along an axis of as many positions as there are tokens, or tokens and past. */
function keptElements(dims: readonly number[], at: Case): (place: number) => boolean {
  const axis = dims[0] === at.batch ? [1, 2].find((each) => dims[each] === at.length || dims[each] === at.past + at.length) : undefined;
  if (axis === undefined || at.padded === 'none') return () => true;
  const kept = keptTokens(at, dims[axis]!);
  const inner = dims.slice(axis + 1).reduce((product, size) => product * size, 1);
  const whole = dims.slice(1).reduce((product, size) => product * size, 1);
  return (place) => kept(Math.floor(place / whole), Math.floor(place / inner) % dims[axis]!);
}
