import { z } from 'zod';
import { workersSchema } from './cell.ts';
import { recordReader } from '../files/read-record.ts';

export const verdictSchemaName = 'attnswap.verdict/1';

/** What is compared. All but latency, CPU time and memory carry across machines. */
export const metrics = [
  'latency',
  'cpu-time',
  'peak-memory',
  'memory-growth',
  'waste',
  'error',
  'scored-pairs',
  'ratio-to-reference',
  'quality',
] as const;
/** What one call of each arm takes. */
export const comparedFigures = ['latency', 'cpu-time'] as const satisfies Metric[];
export type ComparedFigure = (typeof comparedFigures)[number];
export type Metric = (typeof metrics)[number];

/**
 * Of one comparison. `pass`: the change is shown to be within the margin. `inconclusive`: neither that nor a regression
 * was shown. `incomplete`: a declared cell has no figure. `refused`: the margin is below what this host can tell.
 */
export const outcomes = ['pass', 'improvement', 'regression', 'inconclusive', 'incomplete', 'incomparable', 'refused', 'error'] as const;
export type Outcome = (typeof outcomes)[number];

/** A relative change, new over base minus one, with a two-sided interval: .05 is 5 % more. */
export const effectSchema = z.object({
  estimate: z.number(),
  low: z.number(),
  high: z.number(),
  /** Two-sided confidence of the interval, such as .965 (one-sided .0175 at each end). */
  confidence: z.number().min(0).max(1),
});
export type Effect = z.infer<typeof effectSchema>;

/** One fresh pair of workers. */
export const blockSchema = z.object({
  /** ln(new/base) by all samples of the block, each held against the pace of its round (`blockEffect`). */
  logRatio: z.number(),
  /** ln(new/base) of each round, in order. */
  roundLogRatios: z.array(z.number()).readonly(),
  /** Of what was kept, in the unit of the comparison: the median, of CPU time the 15 % quantile. */
  base: z.number(),
  new: z.number(),
  elapsedNs: z.number(),
  /** Processors that other work kept busy while it sampled; absent where the system does not tell, and from older versions. */
  othersCores: z.number().min(0).optional(),
  /** Processors' worth of time in which the container's CPU quota stopped threads; absent where there is no quota, and from older versions. */
  throttledCores: z.number().min(0).optional(),
  /** Of both arms; absent where no worker computed, where the arms differ, and from older versions. */
  workers: workersSchema.optional(),
});
export type Block = z.infer<typeof blockSchema>;

export const comparisonSchema = z.object({
  /** Unique within the verdict: cell id and metric. */
  id: z.string().max(700),
  /** As a user writes it, such as `window.tiled:w=256`. */
  name: z.string().max(500),
  cell: z.string().max(500),
  metric: z.enum(metrics),
  unit: z.string().max(50),
  base: z.number().nullable(),
  new: z.number().nullable(),
  /** Null where there is no figure to compare, or an exact one is compared with a limit. */
  effect: effectSchema.nullable(),
  /** The largest relative change that passes. */
  margin: z.number(),
  /** The smallest change that this host can tell from none; null where it was not calibrated. */
  floor: z.number().nullable(),
  /** Which way is better. */
  direction: z.enum(['lower', 'higher']),
  outcome: z.enum(outcomes),
  /** One sentence: why this outcome. */
  reason: z.string().max(20_000),
  /** What an inconclusive comparison does to the whole. */
  onInconclusive: z.enum(['fail', 'pass']),
  owner: z.string().max(200).nullable(),
  /** Whether the comparison decides, or is shown only (an expired or exploratory gate). */
  decides: z.boolean(),
  /** Smallest effect that the blocks used would show with 90 % power; null where there are no blocks. */
  minimumDetectableEffect: z.number().nullable(),
  /** What the verdict rests on; of a busy comparison, the few that would count. */
  blocks: z.array(blockSchema).readonly(),
  /** Blocks on a host that was busy, which do not count; absent where there are none. */
  setAside: z.array(blockSchema).readonly().optional(),
  /** The host stayed busy: inconclusive, without figures; absent where it did not. */
  busy: z.literal(true).optional(),
  warnings: z.array(z.string().max(2000)).readonly(),
});
export type Comparison = z.infer<typeof comparisonSchema>;

/** The result of `ab` and of `gate`: the one document that every rendering is made from. */
export const verdictSchema = z.object({
  schema: z.literal(verdictSchemaName),
  tool: z.object({ name: z.literal('attnswap'), version: z.string() }),
  kind: z.enum(['ab', 'gate', 'calibration']),
  /** Of the suite, or of the two arms. */
  name: z.string().max(1000),
  command: z.array(z.string()).readonly(),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime(),
  host: z.unknown(),
  /** What the base is: `this checkout`, a directory, a variant, or a stored baseline. */
  base: z.string().max(1000),
  seed: z.int(),
  outcome: z.enum(outcomes),
  /** 0 to 5; of an interrupted comparison 128 and the signal's number. */
  exitCode: z.int().min(0).max(5).or(z.int().min(129).max(159)),
  /** The verdict in one sentence. */
  summary: z.string().max(2000),
  comparisons: z.array(comparisonSchema).readonly(),
  warnings: z.array(z.string().max(2000)).readonly(),
});
export type Verdict = z.infer<typeof verdictSchema>;

/** @throws INVALID_VERDICT naming the field */
export const readVerdict = recordReader(verdictSchema, {
  code: 'INVALID_VERDICT',
  hint: `expected a document with schema ${verdictSchemaName}`,
});
