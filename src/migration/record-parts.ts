import { z } from 'zod';
import { comparisonSchema } from '../contract/verdict.ts';
import { wasteFiguresSchema } from '../waste/schema.ts';
import { migrationVerdicts, useFindings } from './decide.ts';

// What a migration's steps and its record are made of.

export const text = z.string().max(20_000);
const findingSchema = z.enum(useFindings);
export const decisionSchema = z.object({
  candidate: text,
  verdict: z.enum(migrationVerdicts),
  reasons: z.array(text),
  decidedBy: z.array(text),
  /** Of a decoder with a cache alone. */
  uses: z.object({ prefill: findingSchema, decode: findingSchema }).optional(),
});
export const judgementSchema = z.object({
  outcome: z.enum(['pass', 'regression', 'inconclusive']),
  reason: text,
  marginsLost: z.number().nullable(),
  marginsAtMost: z.number().nullish(),
});
/** Null where an end is infinite, as JSON has no Infinity. */
const boundsSchema = z.object({ low: z.number().nullable(), high: z.number().nullable() });
export const qualitySchema = z.object({
  judgement: judgementSchema,
  /** How many items it was judged on, as of the task. */
  drift: z.object({ items: z.int(), of: z.int().optional() }).optional(),
  task: z
    .object({
      items: z.int(),
      /** Where they were judged one by one: of how many. Fewer than that were enough; absent in records of older versions. */
      of: z.int().optional(),
      base: z.number(),
      new: z.number(),
      difference: z.number(),
      /** What the judgement rests on; records of 0.1 lack it. */
      oneSided: boundsSchema.optional(),
      twoSided: boundsSchema,
    })
    .nullable(),
});
export const proofSchema = z.object({
  of: z.literal('modules').optional(),
  nodesKept: z.int(),
  nodesAdded: z.int(),
  nodesRemoved: z.array(text),
  initializersKept: z.int(),
  initializersRemoved: z.array(text),
  sha256: text,
});
const pairedSchema = z.object({
  items: z.int(),
  base: z.number(),
  new: z.number(),
  difference: z.number(),
  twoSided: boundsSchema,
});
const sharedSchema = z.object({ mean: z.number(), low: z.number().nullable(), high: z.number().nullable() });
export const generationSchema = z.object({
  summary: z
    .object({
      items: z.int(),
      tokens: z.int(),
      agreement: sharedSchema,
      firstDivergences: z.array(z.object({ item: text, position: z.int().nullable() })),
      forcedAgreement: sharedSchema,
      divergence: sharedSchema,
      divergenceByPosition: z.array(z.number()),
      bitsPerToken: pairedSchema,
      bitsPerByte: z.object({ base: z.number(), new: z.number() }).nullable(),
    })
    .nullable(),
  judgement: judgementSchema,
});
export const candidateSchema = z.object({
  name: text,
  proof: proofSchema.nullable(),
  quality: qualitySchema.nullable(),
  latency: comparisonSchema.nullable(),
  memory: comparisonSchema.nullable(),
  /** One token behind a cache; null where the model is not decoded, absent in records of older versions, as is `generation`. */
  decode: z
    .object({
      quality: z.object({ judgement: judgementSchema.nullable() }),
      latency: comparisonSchema.nullable(),
      memory: comparisonSchema.nullable(),
    })
    .nullish(),
  backward: z.object({ latency: comparisonSchema.nullable(), memory: comparisonSchema.nullable() }).nullish(),
  generation: generationSchema.nullish(),
  decision: decisionSchema,
});
export const atLengthSchema = z.object({
  length: z.int(),
  medianNs: z.number(),
  lowNs: z.number(),
  highNs: z.number(),
  peakHostBytes: z.number(),
  waste: z.array(z.object({ site: z.int(), overall: wasteFiguresSchema, heads: z.array(z.number().nullable()) })),
});
export const callAtLengthSchema = atLengthSchema.omit({ waste: true });
export const decodeAtLengthSchema = callAtLengthSchema.extend({ cacheBytes: z.number() });
const comparedSchema = z.array(z.object({ length: z.int(), comparison: comparisonSchema }));
export const bothSchema = z.object({ latency: comparedSchema, memory: comparedSchema });

const rankCostSchema = z.object({
  stepNs: z.number(),
  tokensPerSecond: z.number(),
  communicationShare: z.number().nullable(),
  peakBytes: z.int().nullable(),
  frozenBytes: z.int(),
  trainedBytes: z.int(),
  gradientBytes: z.int(),
  optimizerBytes: z.int(),
});
export const attentionScalingSchema = z.union([
  z.object({
    candidate: text,
    alone: rankCostSchema,
    ranks: z.array(rankCostSchema).min(1),
    efficiency: z.object({ estimate: z.number(), low: z.number(), high: z.number() }),
  }),
  z.object({ candidate: text, failure: text }),
]);
