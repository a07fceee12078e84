import { z } from 'zod';
import { recordReader } from '../files/read-record.ts';
import { formatRequests, readRequests } from './requests.ts';
import { dtypes } from './shape.ts';
import { metrics } from './verdict.ts';
import type { Metric } from './verdict.ts';

const size = z.int().min(1);
const oneOrMore = <T extends z.ZodType>(item: T) => z.array(item).min(1);

/** A batch as {@link readRequests} reads it, in the one way that it is written here. */
const requests = z
  .string()
  .refine((text) => readRequests(text) !== undefined, 'expected requests such as q2k, q1s4k, 8q1s1k or 2q2k_32q1s1k')
  .transform((text) => formatRequests(readRequests(text)!));

const matrixSchema = z.strictObject({
  /** As `name[.kernel][:key=value,…]`. */
  variants: oneOrMore(z.string()),
  /** By name; `*` is every backend that runs on the machine, with the kernels and element types that it has. */
  backends: oneOrMore(z.string()),
  /** Tokens: queries and keys alike. */
  lengths: z.array(size).default([]),
  /**
   * Batches of requests, beside `lengths` or instead: `q2k` is a prefill of 2048 tokens, `q1s4k` one new token of 4096, `8q1s1k` eight such
   * requests, `2q2k_32q1s1k` a padded batch of both.
   */
  shapes: z.array(requests).default([]),
  inputs: oneOrMore(z.string()).default(['calibrated']),
  causal: oneOrMore(z.boolean()).default([true]),
  dtypes: oneOrMore(z.enum(dtypes)).default(['f32']),
  passes: oneOrMore(z.enum(['forward', 'forward+backward'])).default(['forward']),
  batch: size.default(1),
  heads: size.default(8),
  kvHeads: size.optional(),
  headDim: size.default(64),
  seed: z.int().min(0).default(1),
});

/** Which cells: those that match every field. */
const selectionSchema = z.strictObject({
  variant: z.string().optional(),
  backend: z.string().optional(),
  /** Keys. */
  length: size.optional(),
  /** As in `shapes`; cells of `lengths` have one, too, such as `q512`. */
  shape: requests.optional(),
  inputs: z.string().optional(),
  causal: z.boolean().optional(),
  dtype: z.enum(dtypes).optional(),
  pass: z.enum(['forward', 'forward+backward']).optional(),
});

export type Selection = z.output<typeof selectionSchema>;

/** What a suite's cells can be judged by: the quality of a model is the matter of a migration. */
const gateMetric = z.enum(metrics).exclude(['quality']);
export const gateMetrics: readonly Metric[] = gateMetric.options;

const gateSchema = z.strictObject({
  /** The most specific gate of a metric (most fields) judges a cell; of equals, the later. */
  select: selectionSchema.default({}),
  metric: gateMetric,
  /** The largest relative change that passes: .05 is 5 %. */
  margin: z.number().min(0).max(10).default(0.05),
  /** Which way is better. */
  direction: z.enum(['lower', 'higher']).default('lower'),
  /** Changes smaller than this, in the metric's unit, never count. */
  absoluteFloor: z.number().min(0).default(0),
  /** The new figure itself may not be worse than this, whatever the base. */
  limit: z.number().optional(),
  /** What «inconclusive» does to the verdict. */
  onInconclusive: z.enum(['fail', 'pass']).default('fail'),
  /** Whom to ask. */
  owner: z.string().max(200).optional(),
  /** ISO date after which the gate is shown, and decides nothing. */
  expires: z.iso.date().optional(),
});
export type Gate = z.output<typeof gateSchema>;

export const suiteSchema = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]*$/, 'lower-case letters, digits and hyphens'),
  description: z.string().default(''),
  matrix: matrixSchema
    .refine(({ lengths, shapes }) => lengths.length + shapes.length > 0, { error: 'expected lengths, shapes or both', path: ['lengths'] })
    .refine(({ batch, shapes }) => batch === 1 || shapes.length === 0, {
      error: 'got a batch size and shapes, which have their own: 8q1s1k is a batch of 8',
      path: ['batch'],
    }),
  /** Modules that export an `adapter` of the user's own, relative to the suite's file. */
  adapters: z.array(z.string()).default([]),
  /** Commands of workers of the user's own, such as `python3 my_worker.py`, started in the folder of the suite's file. */
  workers: z.array(z.string().min(1)).default([]),
  /** Cells that match every field of an exclusion are not part of the suite. */
  exclude: z.array(selectionSchema).default([]),
  /** What `attnswap gate` judges. */
  gates: z.array(gateSchema).default([]),
  /** The cell whose latency the table compares with, as a variant. */
  reference: z.string().default('dense.fused'),
  /** Longest sampling of one cell, seconds; warm-up may take as long again. */
  sampleSeconds: z.number().positive().max(600).default(4),
  /** A cell is ended after this long, seconds. */
  timeoutSeconds: z.number().positive().max(3600).default(120),
  /** Rows that waste is measured on. */
  wasteRows: z.int().min(1).default(256),
  /** Whether the energy of a call is measured too, where the machine has counters of it; half a minute a cell. */
  energy: z.boolean().default(false),
});

/** A suite as its file writes it. */
export type SuiteDefinition = z.input<typeof suiteSchema>;
/** A suite with every default filled in. */
export type Suite = z.output<typeof suiteSchema>;

/** Types a suite file: `export default defineSuite({ … })`. Validated when it is loaded. */
export function defineSuite(definition: SuiteDefinition): SuiteDefinition {
  return definition;
}

/** @throws INVALID_SUITE naming the field */
export const readSuite = recordReader(suiteSchema, {
  code: 'INVALID_SUITE',
  hint: 'export default defineSuite({ name, matrix: { variants, backends, lengths } })',
  whole: 'default export',
});
