import type { Span } from '../../contract/span.ts';
import { batchOf, probeInputs, sizesOfInputs } from './probe-inputs.ts';
import type { ProbeCase } from './probe-inputs.ts';
import type { Probing, ProbeSubject } from './probe-candidates.ts';
import type { Seen, WatchedModel } from './watch.ts';

/** Tokens at which masks are read where a model allows so many; and as many more as a whole number in them may count, up to a limit. */
export const provenTokens = 4096;
export const mostTokens = 9216;
/** Rows of a mask that are read; of one that is stored all are. */
const readRows = 256;
/** Tokens up to which every row is read where a whole number gives reason to. */
export const wholeRows = 2048;
/** The same of a window: beyond {@link wholeWindow} of one as long as Mistral's. Of longer ones far runs read some of all rows. */
export const wholeWindows = 4608;

/** A run at a length, a past or a batch beyond the small ones. */
export interface LongRun {
  readonly at: ProbeCase;
  readonly seen: Seen;
  readonly batch: number;
  /** Between the rows of thinned tensors. */
  readonly step: number;
  readonly ms: number;
}

export interface Farthest {
  readonly subject: ProbeSubject;
  readonly probing: Probing;
  /** Whether a mask may be stored. */
  readonly isStored: boolean;
  /** Whether any mask is to be read at all. */
  readonly masksVary: boolean;
  /** Those that masks are computed with. */
  readonly wholeNumbers: readonly number[];
  /** Lengths that masks may be compared with, as far as constants tell. */
  readonly thresholds: readonly number[];
  /** Those that masks look like: every row is to be read. */
  readonly windows: readonly Span[];
  /** Whether the whole model would run at these sizes. */
  readonly runsAt: (run: LongRun) => boolean;
  /** Given each run that counts, one after the other: its masks are as large as all of a small model. */
  readonly onRun: (run: LongRun) => void;
}

/** Milliseconds of CPU after which a run is not followed by a longer one. */
const slowMs = 4000;
/** The same where no mask is to be read, only sizes. */
const slowSizesMs = 50;
/** Batch elements of a run that shows whether they are treated alike, fewer where each is large; more where a whole number may count them, up to limits. */
const [fewElements, manyElements, mostElements] = [3, 9, 300];
/** Numbers that the inputs of such a run hold: enough, and the most. */
const [enoughFed, mostFed] = [2 ** 19, 2 ** 22];

function batchesBeyond(wholeNumbers: readonly number[], sizes: ReadonlyArray<readonly number[]>): number[] {
  const fed = sizes.reduce((sum, dims) => sum + dims.reduce((product, size) => product * size, 1), 0);
  const most = Math.min(mostElements, Math.floor(mostFed / fed));
  const many = Math.max(fewElements, Math.min(manyElements, Math.floor(enoughFed / fed)));
  const counted = wholeNumbers.filter((count) => count >= many && count < most).map((count) => count + 1);
  return [many, ...(counted.length === 0 ? [] : [Math.max(...counted)])];
}

/**
 * Runs at the longest length that the model takes, with everything counted and with every input that reaches a mask varied, and one of many
 * batch elements.
 * @returns tokens of the longest run, where masks vary and a longer one would take too much time or memory
 */
export async function farthestRuns(
  model: WatchedModel,
  { subject: { given }, probing: { first, inputs }, isStored, masksVary, wholeNumbers, thresholds, windows, runsAt, onRun }: Farthest,
): Promise<number | undefined> {
  let ranOut = false;
  // Of a part of a model, which need not read all that is large: a mask of all pairs, say.
  const readInputs = new Set(model.inputs.map(({ name }) => name));
  const runAt = async (at: ProbeCase, everyRow?: 1): Promise<LongRun | undefined> => {
    const feeds = probeInputs(inputs, at, given, readInputs);
    const sizes = sizesOfInputs(inputs, at, given).map((dims, place) => [inputs[place]!.name, { dims }] as const);
    // An odd step meets patterns of any power of two.
    const step = everyRow ?? (isStored ? 1 : Math.floor(at.length / readRows) | 1);
    const before = process.cpuUsage();
    const seen = await model.run(feeds, step).catch((error: Error) => {
      ranOut ||= /alloc|memory/i.test(error.message);
      return undefined;
    });
    const { user, system } = process.cpuUsage(before);
    if (seen === undefined) return undefined;
    const run = { at, seen, batch: batchOf(inputs, Object.fromEntries(sizes)), step, ms: (user + system) / 1000 };
    // What is left out may be what a runtime refuses: a stored mask that is shorter than its logits, say.
    return runsAt(run) ? run : undefined;
  };
  const wanted = Math.max(provenTokens, ...thresholds.map((count) => Math.ceil(1.1 * count)).filter((count) => count <= mostTokens));
  const sizesAt = (at: ProbeCase) => JSON.stringify(sizesOfInputs(inputs, at, given));
  const changes = (at: Partial<ProbeCase>) => sizesAt(first) !== sizesAt({ ...first, ...at });
  // Many batch elements, a long past before few queries, and lengths far from each other: what a model does not take says nothing.
  const odd: ProbeCase[] = [
    ...batchesBeyond(wholeNumbers, sizesOfInputs(inputs, { ...first, batch: 1 }, given)).map((batch) => ({ ...first, batch })),
    ...(changes({ past: wanted })
      ? [
          { ...first, past: wanted },
          { ...first, length: 1, past: 300 },
        ]
      : []),
    ...(changes({ spread: 1 })
      ? [
          { ...first, spread: 1000 },
          { ...first, length: 1024, spread: -1000 },
        ]
      : []),
  ];
  const show = (run: LongRun | undefined): void => {
    if (run !== undefined) onRun(run);
  };
  for (const at of odd) show(await runAt(at));
  if (!changes({ length: wanted })) return undefined;
  const single = { ...first, batch: 1, past: 0 };
  const start = (await runAt(single)) === undefined ? first : single;
  const { longest, isCut } = await longestRun(runAt, start, { wanted, slowMs: masksVary ? slowMs : slowSizesMs, onRun });
  if (longest === undefined) return undefined;
  const styles = Object.keys(first.domains).length === 0 ? [] : (['right', 'mixed', 'blocks'] as const);
  for (const style of styles) show(await runAt({ ...longest, style }));
  // Where a mask knows a number that rows can be counted to, every row is read.
  const counted = Math.max(
    0,
    ...wholeNumbers.map((count) => Math.ceil(1.1 * count)).filter((count) => count > first.length && count <= wholeRows),
  );
  const windowed = Math.max(0, ...windows.map(wholeWindow).map((length) => (length <= wholeWindows ? length : wholeRows)));
  const whole = Math.max(counted < longest.length ? counted : 0, Math.min(windowed, longest.length));
  if (whole > 0) show(await runAt({ ...longest, length: whole }, 1));
  return masksVary && (isCut || ranOut) ? longest.length : undefined;
}

/** Tokens in which a window shows whole, with keys beyond both of its ends. */
export function wholeWindow({ left, right }: Span): number {
  return Math.ceil(1.1 * (left + right + 1)) + 16;
}

/** Finds the longest run, gives it to `onRun`, and keeps only its sizes. */
async function longestRun(
  runAt: (at: ProbeCase) => Promise<LongRun | undefined>,
  start: ProbeCase,
  { wanted, slowMs, onRun }: { wanted: number; slowMs: number } & Pick<Farthest, 'onRun'>,
): Promise<{ longest: ProbeCase | undefined; isCut: boolean }> {
  let best: LongRun | undefined;
  let refused = Infinity;
  for (let length = 4 * start.length; refused === Infinity; length *= 4) {
    const run = await runAt({ ...start, length: Math.min(wanted, length) });
    if (run === undefined) refused = Math.min(wanted, length);
    else best = run;
    if (run === undefined || (length < wanted && run.ms <= slowMs)) continue;
    onRun(run);
    return { longest: run.at, isCut: length < wanted };
  }
  // A model may end at the size of a table: the longest length that it takes lies between.
  for (let low = best?.at.length ?? start.length; refused - low > 1;) {
    const middle = roundestBetween(low, refused);
    const run = await runAt({ ...start, length: middle });
    if (run === undefined) refused = middle;
    else [best, low] = [run, middle];
  }
  if (best !== undefined) onRun(best);
  return { longest: best?.at, isCut: false };
}

/** Of the whole numbers between two, the multiple of the largest power of two: tables end at such lengths. */
export function roundestBetween(low: number, high: number): number {
  let step = 1;
  while (Math.ceil(high / (2 * step)) * 2 * step - 2 * step > low) step *= 2;
  return Math.ceil(high / step) * step - step;
}
