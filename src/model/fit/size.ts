import type { DimensionSizes } from '../../inputs/model-inputs.ts';

/** A size, or a number that sizes are computed from, that follows from a model's dynamic dimensions. */
export interface Size {
  /** At the sizes that are tried. */
  readonly value: number;
  /** The dynamic dimensions that it depends on. */
  readonly names: ReadonlySet<string>;
  /** At other sizes of them. */
  readonly at: (sizes: DimensionSizes) => number;
  /** Steps that it takes to compute it. */
  readonly steps: number;
}

/** Steps from which on a size is not followed: what is added to itself again and again takes exponentially many. */
const mostSteps = 2000;

const none: ReadonlySet<string> = new Set();

export function fixedSize(value: number): Size {
  return { value, names: none, at: () => value, steps: 1 };
}

export function dimensionSize(name: string, value: number): Size {
  return { value, names: new Set([name]), at: (sizes) => sizes[name] ?? value, steps: 1 };
}

/** What is computed from some sizes; undefined where one of them is unknown. */
export function derivedSize(parts: ReadonlyArray<Size | undefined>, compute: (...values: number[]) => number): Size | undefined {
  const known = parts.filter((part) => part !== undefined);
  if (known.length < parts.length) return undefined;
  const value = compute(...known.map((part) => part.value));
  const dynamic = known.filter(({ names }) => names.size > 0);
  if (dynamic.length === 0) return fixedSize(value);
  const steps = dynamic.reduce((sum, part) => sum + part.steps, 1);
  if (steps > mostSteps) return undefined;
  const names = dynamic.length === 1 ? dynamic[0]!.names : new Set(dynamic.flatMap((part) => [...part.names]));
  return { value, names, at: (sizes) => compute(...known.map((part) => part.at(sizes))), steps };
}

export function productOf(sizes: ReadonlyArray<Size | undefined>): Size | undefined {
  return derivedSize(sizes, (...values) => values.reduce((product, value) => product * value, 1));
}

export function sumOf(sizes: ReadonlyArray<Size | undefined>): Size | undefined {
  return derivedSize(sizes, (...values) => values.reduce((sum, value) => sum + value, 0));
}
