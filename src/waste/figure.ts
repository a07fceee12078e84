import { z } from 'zod';
import { ratioInterval } from '../statistics/resample.ts';

/** A sum that a figure is made of: a name, and its value over all rows (an estimate where rows are sampled). */
const sum = z.strictObject({ name: z.string(), value: z.number() });

/**
 * One figure with what it is a share of. [low, high] is a 95 % interval over (head, query) rows, the heads and positions
 * held fixed (of `sinkRate`: over heads); null where one row alone was measured. The figure is null where it is not defined.
 */
export const wasteFigureSchema = z.strictObject({
  value: z.number(),
  low: z.number().nullable(),
  high: z.number().nullable(),
  numerator: sum,
  denominator: sum,
});
export type WasteFigure = z.infer<typeof wasteFigureSchema>;

/** Sums that figures are ratios of, `[columns]`, and the same of every bootstrap resample, `[resamples, columns]`; undefined without an interval. */
export interface ResampledSums {
  readonly sums: Float64Array;
  readonly replicates: Float64Array | undefined;
}

/** A column of sums, and what its sum is called. */
export interface NamedColumn {
  readonly at: number;
  readonly name: string;
}

/** The ratio of two sums with its interval; null where the denominator is 0. */
export function ratioFigure({ sums, replicates }: ResampledSums, numerator: NamedColumn, denominator: NamedColumn): WasteFigure | null {
  const [above, below] = [sums[numerator.at]!, sums[denominator.at]!];
  if (below === 0) return null;
  const columns = { columns: sums.length, numerator: numerator.at, denominator: denominator.at };
  const interval = replicates === undefined ? null : ratioInterval(replicates, columns);
  return {
    value: above / below,
    low: interval?.low ?? null,
    high: interval?.high ?? null,
    numerator: { name: numerator.name, value: above },
    denominator: { name: denominator.name, value: below },
  };
}
