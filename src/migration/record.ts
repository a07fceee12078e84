import { existsSync } from 'node:fs';
import { z } from 'zod';
import { dispatchSchema } from '../contract/cell.ts';
import { readJson } from '../files/json.ts';
import { recordReader } from '../files/read-record.ts';
import { recordPath } from '../journal/stored.ts';
import type { StoredJournal } from '../journal/stored.ts';
import { migrationVerdicts } from './decide.ts';
import {
  atLengthSchema,
  attentionScalingSchema,
  bothSchema,
  callAtLengthSchema,
  candidateSchema,
  decisionSchema,
  decodeAtLengthSchema,
  text,
} from './record-parts.ts';

export const migrationRecordName = 'attnswap.migration-record/1';

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
      /** Absent in records of older versions. */
      untimed: z.array(z.int()).optional(),
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
