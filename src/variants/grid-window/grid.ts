import type { Parameters } from '../../contract/variant.ts';
import { field, oneOf, parameterObject, readParameters, wholeNumber, withDefault } from '../parameter-types.ts';

/** Sizes along the axes of a grid, `14x14` or `8x14x14`. */
const sizesText = /^[1-9]\d{0,5}(x[1-9]\d{0,5}){1,2}$/;
const isSizes = (given: unknown): boolean => typeof given === 'string' && sizesText.test(given);
const one = wholeNumber(1);
const fields = {
  grid: withDefault(field<string>('rows x columns or frames x rows x columns, such as 14x14 or 8x14x14', isSizes), '14x14'),
  w: withDefault(
    field<number | string>(`${one.expected}, or one for each axis, such as 3x7x7`, (w) => one.accepts(w) || isSizes(w)),
    7,
  ),
  globals: withDefault(wholeNumber(0), 0),
  time: withDefault(oneOf(['both', 'past']), 'both'),
};

export const gridParameters = parameterObject(fields, ({ grid, w, time }) => {
  const [axes, extents] = [grid, String(w)].map((text) => sizesOf(text).length);
  if (typeof w === 'string' && extents !== axes)
    return `w=${w} has ${extents} axes, grid=${grid} has ${axes}; expected one extent for all axes, or one for each`;
  return time === 'past' && axes !== 3
    ? `time=past with grid=${grid}, which has ${axes} axes; expected frames x rows x columns, such as 8x14x14`
    : undefined;
});

/** One axis of a grid, and the window along it. */
export interface Axis {
  readonly size: number;
  /** Tokens of the window, its own among them; `size` at most. */
  readonly w: number;
  /** Tokens of the window before its own, away from the grid's edges. */
  readonly before: number;
  /** Whether the window ends with its own, and does not move at the grid's first edge. */
  readonly past: boolean;
}

/** `globals` tokens, then those of a grid in row-major order: the last axis is the innermost. */
export interface Grid {
  readonly axes: readonly Axis[];
  readonly globals: number;
  /** The only number of tokens that it is defined for. */
  readonly tokens: number;
}

/** @throws INVALID_PARAMETERS */
export function gridOf(given: Parameters): Grid {
  const { grid, w, globals, time } = readParameters('grid-window', gridParameters, given);
  const sizes = sizesOf(grid);
  const extents = typeof w === 'number' ? sizes.map(() => w) : sizesOf(w);
  const axes = sizes.map((size, axis): Axis => {
    const past = time === 'past' && axis === 0;
    const own = Math.min(size, extents[axis]!);
    return { size, w: own, before: past ? own - 1 : Math.floor(own / 2), past };
  });
  return { axes, globals, tokens: globals + productOf(sizes) };
}

/** The window of a position on an axis, [start, end): moved back into the grid where it would reach beyond it. */
export function axisWindow({ size, w, before, past }: Axis, position: number): { readonly start: number; readonly end: number } {
  if (past) return { start: Math.max(0, position - before), end: position + 1 };
  const start = Math.min(Math.max(0, position - before), size - w);
  return { start, end: start + w };
}

/** Where the item of that number, such as a token counted after the globals, is on axes of these sizes. */
export function placeOf(sizes: readonly number[], item: number): number[] {
  const place: number[] = [];
  for (let axis = sizes.length - 1, rest = item; axis >= 0; axis--) {
    place.unshift(rest % sizes[axis]!);
    rest = Math.floor(rest / sizes[axis]!);
  }
  return place;
}

/** The window of a token, counted after the globals, along each axis. */
export function windowsOf({ axes }: Grid, token: number): ReturnType<typeof axisWindow>[] {
  const place = placeOf(
    axes.map(({ size }) => size),
    token,
  );
  return axes.map((axis, at) => axisWindow(axis, place[at]!));
}

/** By how many tokens places differ that are neighbors along each axis. */
export function stridesOf({ axes }: Grid): number[] {
  return axes.map((_, axis) => productOf(axes.slice(axis + 1).map(({ size }) => size)));
}

export function productOf(values: readonly number[]): number {
  return values.reduce((product, value) => product * value, 1);
}

function sizesOf(text: string): number[] {
  return text.split('x').map(Number);
}
