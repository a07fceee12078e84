/** A trial as the scheduler sees it: its score at every rung that it reached, higher is better; NaN where training diverged. */
export interface Contestant {
  readonly scores: readonly number[];
  /** Mean number of layers up to an answer, at each rung: of a model without exits all of them, null where it is not known. */
  readonly layers?: ReadonlyArray<number | null>;
}

/** Epochs of each rung: a rung is `reduction` times as long as the one before, the first at least `least`, the last all of them. */
export function rungsOf(epochs: number, reduction: number, least = 1): number[] {
  const rungs = [epochs];
  while (rungs[0]! > reduction && Math.ceil(rungs[0]! / reduction) >= least) rungs.unshift(Math.ceil(rungs[0]! / reduction));
  return rungs;
}

export interface Job {
  /** Index of the contestant. */
  readonly contestant: number;
  readonly rung: number;
}

/**
 * What to train next, by asynchronous successive halving (Li et al. 2020, algorithm 2): the best that may be promoted, from the highest rung; else a
 * trial that has not begun; undefined where neither is left and one has reached the last rung. When all have begun and none may be promoted, the
 * best of the highest rung goes on, so that one always arrives. Pure: asked again after every job, it says the same for the same scores.
 */
export function nextJob(contestants: readonly Contestant[], rungs: number, reduction: number): Job | undefined {
  for (let rung = rungs - 2; rung >= 0; rung--) {
    const promoted = promotable(contestants, rung, reduction);
    if (promoted !== undefined) return { contestant: promoted, rung: rung + 1 };
  }
  const fresh = contestants.findIndex(({ scores }) => scores.length === 0);
  if (fresh >= 0) return { contestant: fresh, rung: 0 };
  if (contestants.some(({ scores }) => scores.length === rungs)) return undefined;
  const highest = Math.max(...contestants.map(({ scores }) => scores.length)) - 1;
  return { contestant: ranked(contestants, highest)[0]!, rung: highest + 1 };
}

/** The best of a rung that is in its first 1/reduction and went no further. */
function promotable(contestants: readonly Contestant[], rung: number, reduction: number): number | undefined {
  const order = ranked(contestants, rung);
  return order.slice(0, Math.floor(order.length / reduction)).find((index) => contestants[index]!.scores.length === rung + 1);
}

/** Who reached a rung, the best first; of equals the earlier; NaN last. */
function ranked(contestants: readonly Contestant[], rung: number): number[] {
  const value = (index: number) => contestants[index]!.scores[rung]!;
  const reached = contestants.flatMap(({ scores }, index) => (scores.length > rung ? [index] : []));
  return reached.toSorted((a, b) => (Number.isNaN(value(a)) ? 1 : Number.isNaN(value(b)) ? -1 : value(b) - value(a)));
}

/**
 * Who won: of the highest rung that anyone reached, the best; or who answers after the fewest layers, of those whose score is within `margin` of it,
 * a share of its magnitude.
 */
export function winnerOf(contestants: readonly Contestant[], margin: number): number {
  const highest = Math.max(...contestants.map(({ scores }) => scores.length)) - 1;
  const order = ranked(contestants, highest);
  const score = (index: number) => contestants[index]!.scores[highest]!;
  const layers = (index: number) => contestants[index]!.layers?.[highest] ?? Infinity;
  const best = score(order[0]!);
  const equal = order.filter((index) => score(index) >= best - margin * Math.abs(best));
  return equal.reduce((least, index) => (layers(index) < layers(least) ? index : least), order[0]!);
}
