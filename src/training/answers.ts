import { largestProbability } from './log-probability.ts';
import type { TaskItems } from './task.ts';
import { exitsByPosition, exitsOf } from './testbed.ts';
import type { Exit, Testbed } from './testbed.ts';

/** `targets` tell which positions are asked, those that are not −1; without them all are. */
export type TokenBatch = Pick<TaskItems, 'items' | 'length' | 'tokens' | 'source'> & Partial<Pick<TaskItems, 'targets'>>;

type Logits = Float32Array | Float64Array;

/** What a testbed answers. */
export interface Answers<Values extends Logits> {
  /** `[items, length, classes]`. */
  readonly logits: Values;
  /** Layers up to each position's answer, `[items, length]`. */
  readonly layers: Int32Array;
}

/** The answers among the logits `[items, length, classes]` of every exit, the last layer's at the end: of who leaves at the first exit where it may. */
export function answersOf<Values extends Logits>(testbed: Testbed, batch: TokenBatch, every: readonly Values[]): Answers<Values> {
  const { classes, attention } = testbed;
  const logits = every.at(-1)!.slice() as Values;
  const layers = new Int32Array(batch.items * batch.length).fill(attention.length);
  const early = exitsOf(testbed).slice(0, -1);
  for (const [at, exit] of [...early.entries()].toReversed())
    for (const place of leaving(testbed, batch, every[at]!, exit)) {
      logits.set(every[at]!.subarray(place * classes, (place + 1) * classes), place * classes);
      layers[place] = exit.layers;
    }
  return { logits, layers };
}

/** The positions that may leave at an exit with these logits. */
export function leaving(testbed: Testbed, { targets, items, length }: TokenBatch, logits: Logits, { confidence }: Exit): number[] {
  const { classes } = testbed;
  const isSure = (place: number) =>
    targets?.[place] === -1 || largestProbability(logits.subarray(place * classes, (place + 1) * classes)) >= confidence;
  const places = Array.from({ length: items * length }, (_, place) => place);
  if (exitsByPosition(testbed)) return places.filter(isSure);
  const sequenceOf = (place: number) => Math.floor(place / length);
  const unsure = new Set(places.filter((place) => !isSure(place)).map(sequenceOf));
  return places.filter((place) => !unsure.has(sequenceOf(place)));
}
