import { largestProbability } from './log-probability.ts';
import type { TaskItems } from './task.ts';
import { exitsByPosition, exitsOf } from './testbed.ts';
import type { Exit, Testbed } from './testbed.ts';

/** `targets` tell which positions are asked, those that are not −1; without them all are. */
export type TokenBatch = Pick<TaskItems, 'items' | 'length' | 'tokens' | 'source'> & Partial<Pick<TaskItems, 'targets'>>;

type Figures = Float32Array | Float64Array;

/** What an exit, or the last layer, gives. */
export interface ExitOutput<Values> {
  /** `[items, length, classes]`. */
  readonly logits: Values;
  /** How sure its own head is, `[items, length]`, from 0 to 1; absent where it has none, and of the last layer. */
  readonly sure?: Values | undefined;
}

/** What a testbed answers. */
export interface Answers<Values extends Figures> {
  /** `[items, length, classes]`. */
  readonly logits: Values;
  /** Layers up to each position's answer, `[items, length]`. */
  readonly layers: Int32Array;
}

/** The answers among those of every exit, the last layer's at the end: of who leaves at the first exit where it may. */
export function answersOf<Values extends Figures>(
  testbed: Testbed,
  batch: TokenBatch,
  every: ReadonlyArray<ExitOutput<Values>>,
): Answers<Values> {
  const { classes, attention } = testbed;
  const logits = every.at(-1)!.logits.slice() as Values;
  const layers = new Int32Array(batch.items * batch.length).fill(attention.length);
  const early = exitsOf(testbed).slice(0, -1);
  for (const [at, exit] of [...early.entries()].toReversed())
    for (const place of leaving(testbed, batch, every[at]!, exit)) {
      logits.set(every[at]!.logits.subarray(place * classes, (place + 1) * classes), place * classes);
      layers[place] = exit.layers;
    }
  return { logits, layers };
}

/** The positions that may leave at an exit that gives this. */
export function leaving(
  testbed: Testbed,
  { targets, items, length }: TokenBatch,
  { logits, sure }: ExitOutput<Figures>,
  { confidence }: Exit,
): number[] {
  const { classes } = testbed;
  const surenessOf = (place: number) => sure?.[place] ?? largestProbability(logits.subarray(place * classes, (place + 1) * classes));
  const isSure = (place: number) => targets?.[place] === -1 || surenessOf(place) >= confidence;
  const places = Array.from({ length: items * length }, (_, place) => place);
  if (exitsByPosition(testbed)) return places.filter(isSure);
  const sequenceOf = (place: number) => Math.floor(place / length);
  const unsure = new Set(places.filter((place) => !isSure(place)).map(sequenceOf));
  return places.filter((place) => !unsure.has(sequenceOf(place)));
}
