import { AttnswapError } from '../contract/errors.ts';

/** A figure by its name, and which way is better. */
export interface Objective {
  readonly name: string;
  readonly goal: 'minimise' | 'maximise';
}

/** What is compared: figures by the objectives' names, in any units. */
export interface WithFigures {
  readonly figures: Readonly<Record<string, number>>;
}

export interface ParetoResult<T> {
  /** Candidates that no other one beats: best by the first objective first, then by the next, then in the order given. */
  readonly front: readonly T[];
  /** The others, in the order given, each with the first of the front that beats it. */
  readonly dominated: ReadonlyArray<{ readonly candidate: T; readonly by: T }>;
  /** Candidates that lack a figure or have NaN there; they are on no front and beat nobody. */
  readonly incomplete: readonly T[];
}

/**
 * The candidates of which no other is at least as good by every objective and better by one. Equal ones do not beat one another: all stay.
 * Infinite figures are compared as they are. Takes a comparison for every candidate and member of the front.
 * @throws INVALID_MIGRATION on no objectives, or one named twice
 */
export function paretoFront<T extends WithFigures>(candidates: readonly T[], objectives: readonly Objective[]): ParetoResult<T> {
  const names = objectives.map(({ name }) => name);
  if (names.length === 0 || new Set(names).size < names.length) {
    throw new AttnswapError('INVALID_MIGRATION', `objectives: got [${names.join(', ')}], expected one or more, each named once`);
  }
  const rows = candidates.map((candidate) => ({ candidate, costs: costsOf(candidate, objectives) }));
  const complete = rows.filter(({ costs }) => !costs.some(Number.isNaN));
  // In this order nobody is beaten by one that comes later. Sorting is stable.
  const front: Array<Row<T>> = [];
  for (const row of complete.toSorted((a, b) => inOrder(a.costs, b.costs))) {
    if (!front.some(({ costs }) => beats(costs, row.costs))) front.push(row);
  }
  return {
    front: front.map(({ candidate }) => candidate),
    dominated: complete.flatMap(({ candidate, costs }) => {
      const by = front.find((member) => beats(member.costs, costs));
      return by === undefined ? [] : [{ candidate, by: by.candidate }];
    }),
    incomplete: rows.flatMap(({ candidate, costs }) => (costs.some(Number.isNaN) ? [candidate] : [])),
  };
}

interface Row<T> {
  readonly candidate: T;
  /** By objective, lower is better. */
  readonly costs: readonly number[];
}

function costsOf({ figures }: WithFigures, objectives: readonly Objective[]): number[] {
  return objectives.map(({ name, goal }) => {
    const figure = Object.hasOwn(figures, name) ? figures[name]! : NaN;
    return goal === 'minimise' ? figure : -figure;
  });
}

function beats(a: readonly number[], b: readonly number[]): boolean {
  return a.every((cost, index) => cost <= b[index]!) && a.some((cost, index) => cost < b[index]!);
}

function inOrder(a: readonly number[], b: readonly number[]): number {
  const index = a.findIndex((cost, at) => cost !== b[at]);
  return index < 0 ? 0 : a[index]! < b[index]! ? -1 : 1;
}
