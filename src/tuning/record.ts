import { existsSync } from 'node:fs';
import { z } from 'zod';
import { AttnswapError } from '../contract/errors.ts';
import { confidence, layerCost, testbedSchema } from '../contract/testbed.ts';
import { techniques, tuningSchema } from '../contract/tuning.ts';
import { comparisonSchema } from '../contract/verdict.ts';
import { readJson } from '../files/json.ts';
import { recordReader } from '../files/read-record.ts';
import type { StepSchemas } from '../journal/check-steps.ts';
import { recordPath } from '../journal/stored.ts';
import type { StoredJournal } from '../journal/stored.ts';
import { migrationVerdicts } from '../migration/decide.ts';
import { qualityOutcomes } from '../quality/judgement.ts';
import { attentionWasteSchema } from './attention-waste.ts';
import { gradedSchema } from './graded.ts';

export const tuningRecordName = 'attnswap.tuning/1';

const text = z.string().max(20_000);
const list = <T extends z.ZodType>(item: T, most: number) => z.array(item).max(most).readonly();
const texts = list(text, 10_000);
/** Beyond any score, difference or interval, so that a damaged record is refused. */
const largest = 1e15;
/** Null where there is no finite figure: a training that diverged, the interval of one seed. */
const figure = z.number().min(-largest).max(largest).nullable();
/** On validation items; `noScore` of a training that diverged. */
const score = z.number().max(largest).nullable();
const depth = z.number().min(1).max(64);
const { position, norm, normPlacement } = testbedSchema.def.shape;

const trialSchema = z.object({
  attention: text,
  position,
  norm,
  normPlacement,
  learningRate: z.number().positive(),
  techniques: list(z.enum(techniques), 100),
  start: z.enum(['drawn', 'baseline']),
  exits: confidence.nullable().default(null),
  layerCost: layerCost.nullable().default(null),
  seed: z.int(),
  shuffled: z.literal(true).optional(),
});
const epochSchema = z.object({
  losses: list(z.number().nullable(), 1e6),
  validation: score,
  layers: depth.optional(),
  diverged: z.literal(true).optional(),
  elapsedNs: z.number().min(0).max(1e18),
});
/** BLEU or chrF of all test items together, with the interval over them. */
const corpusScoreSchema = z.object({ value: figure, low: figure, high: figure });
const testSchema = z.object({
  mean: figure,
  items: list(figure, 1e7),
  layers: depth.optional(),
  depths: list(depth, 1e7).optional(),
  translation: z.object({ bleu: corpusScoreSchema, chrf: corpusScoreSchema }).optional(),
});
/** Three attentions of each of 64 layers at most, with an encoder. */
const importanceSchema = list(list(figure, 1024), 192);
const finishedSchema = z.object({
  trial: trialSchema,
  epochs: list(epochSchema, 10_000),
  test: testSchema,
  importance: importanceSchema.default([]),
});
const differenceSchema = z.object({
  mean: figure,
  low: figure,
  high: figure,
  standardDeviation: figure,
  count: z.int().min(0),
  p: figure,
});
const steps = list(z.number().min(0), 100);
const stepsSchema = z
  .object({ with: steps, without: steps, saved: z.object({ estimate: figure, low: figure, high: figure }) })
  .nullable()
  .default(null);
const searchSchema = z.object({
  candidate: text,
  rungs: list(z.int().min(1), 100),
  trials: list(z.object({ id: text, trial: trialSchema, scores: list(score, 100), layers: list(depth.nullable(), 100).optional() }), 1000),
  winner: trialSchema,
});
const candidateSchema = z.object({
  candidate: text,
  swapped: list(figure, 100),
  search: searchSchema,
  finalists: list(finishedSchema, 100),
  control: finishedSchema.nullable(),
  difference: differenceSchema,
  recovered: differenceSchema.omit({ p: true }).nullable().default(null),
  ablations: list(
    z.object({ without: text, trials: list(finishedSchema, 100), gained: differenceSchema, steps: stepsSchema }),
    100,
  ).default([]),
  weightedShare: z.number().min(0).max(1000),
  latency: comparisonSchema,
  memory: comparisonSchema,
  quality: z.object({ outcome: z.enum(qualityOutcomes), reason: text, marginsLost: z.number().nullable() }),
  decision: z.object({ candidate: text, verdict: z.enum(migrationVerdicts), reasons: texts, decidedBy: texts }),
  waste: attentionWasteSchema.nullable().default(null),
  graded: gradedSchema.nullable().default(null),
  model: text,
});
const settingsSchema = z.object({
  ...tuningSchema.shape,
  name: text,
  description: text,
  task: text,
  baseline: text,
  candidates: texts,
  trainer: text,
  backend: text,
  seed: z.int(),
  maxBlocks: z.int(),
  threads: z.int().nullable(),
  exitsDefinition: z.int().optional(),
  positionsDefinition: z.int().optional(),
  taskDefinition: z.int().optional(),
});

/** What the steps of a tuning hold. */
export const tuningSteps: StepSchemas = [
  [/^trial\/.+\/epoch \d+$/s, epochSchema],
  [/^trial\/.+\/test$/s, testSchema],
  [/^trial\/.+\/importance$/s, importanceSchema],
  [/^swap\//, testSchema],
  [/^compare\//, z.object({ latency: comparisonSchema, memory: comparisonSchema })],
  [/^waste\//, attentionWasteSchema.nullable()],
  [/^graded\//, gradedSchema],
  [/^ended$/, z.iso.datetime()],
];

/** All that a tuning found, with what it was of: `record.json` in its folder, written when it ends. */
export const tuningRecordSchema = z.object({
  schema: z.literal(tuningRecordName),
  tool: z.object({ name: z.literal('attnswap'), version: text }),
  command: list(text, 1000),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime(),
  host: z.unknown(),
  warnings: texts,
  settings: settingsSchema,
  /** A training a seed. */
  baseline: list(finishedSchema, 100),
  /** Of the first seed, as each candidate's; null where the training diverged, or the record is older than this figure. */
  baselineWaste: attentionWasteSchema.nullable().default(null),
  /** Of the first seed, as each candidate's: how depth follows difficulty; null without exits, or where items are not graded. */
  baselineGraded: gradedSchema.nullable().default(null),
  candidates: list(candidateSchema, 1000),
  /** Of baseline and candidates those that no other beats. */
  front: texts.default([]),
});
/** A tuning's record as it is read back: what reports need of it. */
export type StoredTuningRecord = z.output<typeof tuningRecordSchema>;
export type TuningCandidateRecord = StoredTuningRecord['candidates'][number];
export type FinishedRecord = StoredTuningRecord['baseline'][number];

/** @throws INVALID_MIGRATION naming the field */
export const parseTuningRecord = recordReader(tuningRecordSchema, {
  code: 'INVALID_MIGRATION',
  hint: `expected a document with schema ${tuningRecordName}, as written by attnswap tune`,
});

/**
 * The record of the tuning whose journal a folder holds.
 * @throws FILE_UNREADABLE; INVALID_MIGRATION naming the field, or where the tuning has not ended
 */
export async function readTuningRecord(folder: string, { subject }: Pick<StoredJournal, 'subject'>): Promise<StoredTuningRecord> {
  const path = recordPath(folder);
  if (existsSync(path)) return parseTuningRecord(await readJson(path, 'INVALID_MIGRATION'), path);
  const name = JSON.stringify(String(subject.settings['name']).slice(0, 500));
  throw new AttnswapError('INVALID_MIGRATION', `${folder}: the tuning of ${name} is not finished: it has no record.json yet`, {
    hint: 'run the same attnswap tune command to continue',
  });
}
