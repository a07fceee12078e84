import { z } from 'zod';

const count = z.int().min(0);

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

const figure = wasteFigureSchema.nullable();
const byMassShare = z.strictObject({ p90: figure, p95: figure, p99: figure });
const byErrorBudget = z.strictObject({ e01: figure, e05: figure });

export const wasteFiguresSchema = z.strictObject({
  wastedCompute: byMassShare,
  kernelWaste: byMassShare,
  wastedComputeAtError: byErrorBudget,
  wastedMass: figure,
  labelledWaste: figure,
  missedMass: figure,
  pooledMass: figure,
  sinkRate: figure,
  firstTokenMass: figure,
  effectiveSupport: z.strictObject({ entropy: figure, participation: figure }),
  localMass: figure,
  /** Key 0 dropped, the rest renormalised. */
  withoutFirstToken: z.strictObject({
    wastedCompute: byMassShare,
    wastedComputeAtError: byErrorBudget,
    wastedMass: figure,
    labelledWaste: figure,
  }),
});

/** Which rows were measured: `measured` of `of`. Sampled rows are stratified by head and position and follow from the seed. */
const rows = z.discriminatedUnion('selection', [
  z.strictObject({ selection: z.literal('all'), measured: count, of: count }),
  z.strictObject({ selection: z.literal('sampled'), requested: count, seed: z.int(), measured: count, of: count }),
]);

/** Wasted attention of one variant on named inputs: what `waste` holds in a run record. */
export const wasteReportSchema = z.strictObject({
  inputs: z.string(),
  variant: z.strictObject({ name: z.string(), params: z.record(z.string(), z.union([z.number(), z.string()])) }),
  rows,
  interval: z.strictObject({ confidence: z.number(), resamples: count, seed: z.int() }),
  overall: wasteFiguresSchema,
  /** By query head, over all batch elements. A kernel's pairs are not known by head: `kernelWaste` is null. */
  heads: z.array(z.strictObject({ head: count, figures: wasteFiguresSchema })),
});

export type WasteFigure = z.infer<typeof wasteFigureSchema>;
export type WasteFigures = z.infer<typeof wasteFiguresSchema>;
export type WasteReport = z.infer<typeof wasteReportSchema>;
