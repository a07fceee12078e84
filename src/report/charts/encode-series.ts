import { colourOf } from '../theme.ts';

/** One line or mark of a chart: a kernel under the name that a user writes. */
export interface Series {
  readonly name: string;
  readonly variant: string;
}

const dashes = [
  [1, 0],
  [6, 3],
  [2, 2],
  [8, 3, 2, 3],
  [1, 3],
  [10, 2],
];
const shapes = ['circle', 'square', 'triangle-up', 'diamond', 'cross', 'triangle-down'];

/**
 * Colour by variant, dash and shape by which of the variant's kernels it is: the same names look the same in every chart of a report, and
 * none is told by colour alone.
 */
export function encodeSeries(series: readonly Series[]) {
  const ranks = series.map(({ name, variant }) =>
    series.filter((other) => other.variant === variant).findIndex((other) => other.name === name),
  );
  const domain = series.map(({ name }) => name);
  const scale = <Value>(range: readonly Value[]) => ({ domain, range: [...range] });
  const field = { field: 'series', type: 'nominal', title: null } as const;
  return {
    color: { ...field, scale: scale(series.map(({ variant }) => colourOf(variant))) },
    strokeDash: { ...field, scale: scale(ranks.map((rank) => dashes[rank % dashes.length]!)) },
    shape: { ...field, scale: scale(ranks.map((rank, index) => shapes[(rank + index) % shapes.length]!)) },
  };
}
