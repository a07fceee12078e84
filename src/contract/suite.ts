import { z } from 'zod';
import { AttnswapError } from './errors.ts';
import { dtypes } from './shape.ts';

const size = z.int().min(1);
const oneOrMore = <T extends z.ZodType>(item: T) => z.array(item).min(1);

const matrixSchema = z.strictObject({
  /** As `name[.kernel][:key=value,…]`. */
  variants: oneOrMore(z.string()),
  backends: oneOrMore(z.string()),
  /** Tokens: queries and keys alike. */
  lengths: oneOrMore(size),
  inputs: oneOrMore(z.string()).default(['calibrated']),
  causal: oneOrMore(z.boolean()).default([true]),
  dtypes: oneOrMore(z.enum(dtypes)).default(['f32']),
  batch: size.default(1),
  heads: size.default(8),
  kvHeads: size.optional(),
  headDim: size.default(64),
  seed: z.int().min(0).default(1),
});

const exclusionSchema = z.strictObject({
  variant: z.string().optional(),
  backend: z.string().optional(),
  length: size.optional(),
  inputs: z.string().optional(),
  causal: z.boolean().optional(),
  dtype: z.enum(dtypes).optional(),
});

export const suiteSchema = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]*$/, 'lower-case letters, digits and hyphens'),
  description: z.string().default(''),
  matrix: matrixSchema,
  /** Cells that match every field of an exclusion are not part of the suite. */
  exclude: z.array(exclusionSchema).default([]),
  /** The cell whose latency the table compares with, as a variant. */
  reference: z.string().default('dense.fused'),
  /** Longest sampling of one cell, seconds; warm-up may take as long again. */
  sampleSeconds: z.number().positive().max(600).default(4),
  /** A cell is ended after this long, seconds. */
  timeoutSeconds: z.number().positive().max(3600).default(120),
  /** Rows that waste is measured on. */
  wasteRows: z.int().min(1).default(256),
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
export function readSuite(definition: unknown, source: string): Suite {
  const result = suiteSchema.safeParse(definition);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new AttnswapError('INVALID_SUITE', `${source}: ${issue.path.join('.') || 'default export'}: ${issue.message}`, {
    hint: 'export default defineSuite({ name, matrix: { variants, backends, lengths } })',
    cause: result.error,
  });
}
