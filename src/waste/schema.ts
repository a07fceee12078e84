import { z } from 'zod';
import { wasteFigureSchema } from './figure.ts';
import { groupFiguresSchema } from './group-meter.ts';

export type { WasteFigure } from './figure.ts';

const count = z.int().min(0);

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
  /** By groups of keys, where the request names some. */
  groups: groupFiguresSchema.exactOptional(),
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

export type WasteFigures = z.infer<typeof wasteFiguresSchema>;
export type WasteReport = z.infer<typeof wasteReportSchema>;
