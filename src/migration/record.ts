import { existsSync } from 'node:fs';
import { z } from 'zod';
import { dispatchSchema } from '../contract/cell.ts';
import { comparisonSchema } from '../contract/verdict.ts';
import type { Comparison } from '../contract/verdict.ts';
import { busyCores, isBusy } from '../decide/judge-blocks.ts';
import { readJson } from '../files/json.ts';
import { recordReader } from '../files/read-record.ts';
import type { StepSchemas } from '../journal/check-steps.ts';
import { recordPath } from '../journal/stored.ts';
import type { StoredJournal } from '../journal/stored.ts';
import { wasteFiguresSchema } from '../waste/schema.ts';
import { migrationVerdicts, useFindings } from './decide.ts';

export const migrationRecordName = 'attnswap.migration-record/1';

const text = z.string().max(20_000);
const findingSchema = z.enum(useFindings);
const decisionSchema = z.object({
  candidate: text,
  verdict: z.enum(migrationVerdicts),
  reasons: z.array(text),
  decidedBy: z.array(text),
  /** Of a decoder with a cache alone. */
  uses: z.object({ prefill: findingSchema, decode: findingSchema }).optional(),
});
const judgementSchema = z.object({
  outcome: z.enum(['pass', 'regression', 'inconclusive']),
  reason: text,
  marginsLost: z.number().nullable(),
  marginsAtMost: z.number().nullish(),
});
/** Null where an end is infinite, as JSON has no Infinity. */
const boundsSchema = z.object({ low: z.number().nullable(), high: z.number().nullable() });
const qualitySchema = z.object({
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
const proofSchema = z.object({
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
const generationSchema = z.object({
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
const candidateSchema = z.object({
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
const atLengthSchema = z.object({
  length: z.int(),
  medianNs: z.number(),
  lowNs: z.number(),
  highNs: z.number(),
  peakHostBytes: z.number(),
  waste: z.array(z.object({ site: z.int(), overall: wasteFiguresSchema, heads: z.array(z.number().nullable()) })),
});
const callAtLengthSchema = atLengthSchema.omit({ waste: true });
const decodeAtLengthSchema = callAtLengthSchema.extend({ cacheBytes: z.number() });
const comparedSchema = z.array(z.object({ length: z.int(), comparison: comparisonSchema }));
const bothSchema = z.object({ latency: comparedSchema, memory: comparedSchema });

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
const attentionScalingSchema = z.union([
  z.object({
    candidate: text,
    alone: rankCostSchema,
    ranks: z.array(rankCostSchema).min(1),
    efficiency: z.object({ estimate: z.number(), low: z.number(), high: z.number() }),
  }),
  z.object({ candidate: text, failure: text }),
]);

const length = String.raw`\d+$`;
const use = String.raw`((decode|forward\+backward)/)?`;
const number = z.number();
const mean = z.object({ mean: number.nullable() }).nullable();
const countedSchema = { items: z.int(), of: z.int().optional() };
const driftSchema = z.discriminatedUnion('state', [
  z.object({ state: z.literal('fault'), ...countedSchema, reasons: z.array(z.string()).min(1) }),
  z.object({
    state: z.literal('measured'),
    ...countedSchema,
    outputs: z.array(z.object({ output: z.string(), kind: z.string(), relativeError: mean, agreement: mean })).min(1),
  }),
]);

/** Whether a comparison showed something, on a host that was quiet all the time. */
function isClear({ outcome, blocks, setAside = [] }: Comparison): boolean {
  const quiet = setAside.length === 0 && !blocks.some((block) => isBusy(block, busyCores));
  return quiet && ['pass', 'improvement', 'regression'].includes(outcome);
}

/** What is measured of a model, and may be reused. */
export const figureSchemas = {
  latency: atLengthSchema.pick({ medianNs: true, lowNs: true, highNs: true }),
  memory: z.object({ bytes: number.positive(), residentBytes: number.positive().exactOptional() }),
  waste: atLengthSchema.shape.waste,
  comparison: comparisonSchema.refine(isClear),
  kernel: number.min(0),
};

/** What the steps of a migration hold. */
export const migrationSteps: StepSchemas = [
  [new RegExp(`^feeds/(decode/)?${length}`), z.object({ item: z.string() })],
  [new RegExp(`^baseline/latency/${use}${length}`), figureSchemas.latency],
  [new RegExp(`^baseline/memory/${use}${length}`), figureSchemas.memory],
  [new RegExp(`^baseline/cache/${length}`), z.object({ bytes: number.min(0), bytesPerToken: number.min(0) })],
  [new RegExp(`^baseline/waste/${length}`), figureSchemas.waste],
  [/^dispatch\//s, dispatchSchema.nullable()],
  [/^baseline\/scores$/, z.array(number).nullable()],
  [/^candidate\/.+\/model$/s, z.union([z.object({ proof: proofSchema }), z.object({ failure: z.string() })])],
  [/^candidate\/.+\/decode$/s, z.object({ drift: driftSchema, judgement: judgementSchema.nullable() })],
  [/^candidate\/.+\/generation$/s, generationSchema],
  [/^generation\//s, z.array(z.int())],
  [/^candidate\/.+\/quality$/s, qualitySchema.extend({ drift: driftSchema })],
  [new RegExp(`^(latency|peak-memory)/.+/${length}`, 's'), comparisonSchema],
  [/^tune\/saving$/, z.array(z.array(number))],
  [/^tune\/scale$/, z.object({ scores: z.array(number).nullable(), size: number.min(0) })],
  [/^tune\/loss\//, number.min(0).nullable()],
  [/^tune\/kernel\//, figureSchemas.kernel.nullable()],
  [/^tune\/mend\//, z.object({ factor: number.nullable(), loss: number.min(0), norms: z.record(z.string(), z.array(number)).nullable() })],
  [/^recover\/.+\/judged\/\d+$/s, z.object({ loss: number.min(0).nullable() })],
  [/^recover\//s, z.object({ losses: z.array(number).min(1), parameters: z.int().positive() })],
  [/^scaling\//s, attentionScalingSchema],
  [/^head$/, z.object({ tool: z.object({ version: z.string() }), command: z.array(z.string()), warnings: z.array(z.string()) })],
  [/^ended\//, z.iso.datetime()],
];

/** All that a migration found, with what it was of: `record.json` in its folder, written when it ends. */
export const migrationRecordSchema = z.object({
  schema: z.literal(migrationRecordName),
  tool: z.object({ name: z.literal('attnswap'), version: z.string() }),
  command: z.array(z.string()),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime(),
  host: z.unknown(),
  warnings: z.array(text),
  model: text,
  /** Of the folder's steps when this was written: more of them now mean that it went on and has not ended. */
  steps: z.int(),
  /** When figures were measured that were reused from an earlier run, by their steps; absent in records of older versions. */
  reused: z.record(z.string(), z.iso.datetime()).optional(),
  settings: z.object({
    backend: text,
    lengths: z.array(z.int()),
    compareAt: z.int(),
    qualityMargin: z.number(),
    margin: z.number(),
    goal: text,
    allItems: z.literal(true).optional(),
    fresh: z.literal(true).optional(),
    generate: z.int().optional(),
    recover: z
      .object({
        steps: z.int(),
        labels: z.int(),
        rank: z.int(),
        learningRate: z.number(),
        batch: z.int().optional(),
        ranks: z.int().optional(),
        deepspeed: z.literal('zero3').optional(),
        patience: z.int().optional(),
      })
      .optional(),
  }),
  /** What was assumed of the mask of which site; absent in records of older versions. */
  sites: z.array(z.object({ site: z.int(), assumed: text.optional() })).optional(),
  /** What a score is; null without a task. */
  metric: text.nullable(),
  /** Why the model's cache is not decoded through. */
  notDecoded: text.nullish(),
  baseline: z.object({
    lengths: z.array(atLengthSchema),
    /** Of a decoder with a cache; absent in records of older versions. */
    decode: z.object({ cacheBytesPerToken: z.number(), lengths: z.array(decodeAtLengthSchema) }).nullish(),
    /** Forward and backward; absent in records of older versions. */
    backward: z.array(callAtLengthSchema).nullish(),
    /** What a call runs; null where the runtime does not tell, absent in records of older versions. */
    dispatch: dispatchSchema.nullish(),
    scores: z.array(z.number()).nullable(),
  }),
  candidates: z.array(candidateSchema).nullable(),
  tuned: z
    .object({
      choices: z.array(text),
      budget: z.number(),
      search: z.object({
        evaluations: z.int(),
        front: z.array(z.object({ assignment: z.array(z.int()), saving: z.number(), loss: z.number().nullable() })),
        best: z.object({ assignment: z.array(z.int()), saving: z.number(), loss: z.number().nullable() }),
      }),
      mended: z.array(
        z.object({
          name: text,
          lossBefore: z.number().nullable(),
          scaleFactor: z.number().nullable(),
          norms: z.array(text),
          lossAfter: z.number().nullable(),
        }),
      ),
      result: candidateSchema.nullable(),
    })
    .nullable(),
  /** Of a migration that trained; absent in records of older versions. */
  recovered: z
    .array(
      z.union([
        z.object({
          from: text,
          parameters: z.int(),
          losses: z.object({ transfer: z.array(z.number()), labels: z.array(z.number()) }),
          /** Absent in records of older versions, as are `heldOut` and `kept`. */
          judged: z.array(z.object({ step: z.int(), loss: z.number().nullable() })).optional(),
          heldOut: z.int().optional(),
          kept: z.int().optional(),
          lostBefore: z.number(),
          lostBetween: z.number().nullish(),
          lostAfter: z.number().nullable(),
          share: z.number().nullable(),
          result: candidateSchema,
        }),
        z.object({ from: text, failure: text }),
      ]),
    )
    .nullish(),
  /** Of a training on several ranks; absent in records of older versions. */
  scaling: z.object({ ranks: z.int(), threads: z.int(), attentions: z.array(attentionScalingSchema) }).nullish(),
  standings: z.array(
    z.object({
      name: text,
      loss: z.number().nullable(),
      atMost: z.number().nullish(),
      latency: z.number(),
      memory: z.number(),
      decode: z.object({ latency: z.number(), memory: z.number() }).optional(),
    }),
  ),
  front: z.array(text),
  final: z
    .object({
      candidate: text,
      ...bothSchema.shape,
      decode: bothSchema.nullish(),
      decision: decisionSchema,
      dispatch: dispatchSchema.nullish(),
      model: text.nullable(),
    })
    .nullable(),
  verdict: z.enum(migrationVerdicts).nullable(),
});
/** A migration's record as it is read back: what reports need of it. */
export type StoredMigrationRecord = z.infer<typeof migrationRecordSchema>;

/** A migration as its folder tells it: whole, or the record of an earlier end with steps after it, or steps alone. */
export interface StoredMigration {
  readonly record: StoredMigrationRecord | null;
  /** All steps reached, by name. */
  readonly steps: Readonly<Record<string, unknown>>;
  readonly ended: boolean;
}

const readRecord = recordReader(migrationRecordSchema, {
  code: 'INVALID_MIGRATION',
  hint: `expected a document with schema ${migrationRecordName}`,
});

/** The migration whose journal a folder holds. @throws FILE_UNREADABLE, INVALID_MIGRATION naming the field */
export async function readMigration(folder: string, { steps }: Pick<StoredJournal, 'steps'>): Promise<StoredMigration> {
  const path = recordPath(folder);
  if (!existsSync(path)) return { record: null, steps, ended: false };
  const record = readRecord(await readJson(path, 'INVALID_MIGRATION'), path);
  return { record, steps, ended: record.steps === Object.keys(steps).length };
}
