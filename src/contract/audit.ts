import { z } from 'zod';
import { recordReader } from '../files/read-record.ts';

export const auditSchemaName = 'attnswap.audit/1';

/**
 * `skips`: work and memory shrink with what is not attended to. `masks-only`: everything is computed, whatever is attended to. `copies-n2`:
 * memory grows as n², although work does not. `inconclusive`: the measurements decide neither.
 */
export const auditVerdicts = ['skips', 'masks-only', 'copies-n2', 'inconclusive'] as const;
export type AuditVerdict = (typeof auditVerdicts)[number];

export const auditFigures = ['cpu-time', 'latency', 'peak-memory'] as const;
export type AuditFigure = (typeof auditFigures)[number];

/** What one series shows: of a time, whether work follows what is attended to; of memory, whether it grows as n or as n². */
export const auditStandings = ['skips', 'masks-only', 'linear', 'n2', 'inconclusive'] as const;
export type AuditStanding = (typeof auditStandings)[number];

/** One measurement, in processes of its own: one that is timed, and one whose memory is read. */
export const auditRoundSchema = z.object({
  /** The median call. */
  latencyNs: z.number().positive(),
  /** Time of all processors that one call takes; null where the system does not tell. */
  cpuNs: z.number().min(0).nullable(),
  /** Beyond the inputs, of the device where it has memory of its own; null where it was not read again: over the knob, the first round tells. */
  peakBytes: z.number().min(0).nullable(),
});
export type AuditRound = z.infer<typeof auditRoundSchema>;

/** One setting that was measured, once per round. */
export const auditPointSchema = z.object({
  /** Queries and keys. */
  length: z.int().min(1),
  /** The parameter that says how much is attended to; null where there is none. */
  knob: z.number().nullable(),
  /** Work that the attention needs by its definition, and work of dense attention: FLOPs by the cost models; of a model, pairs, up to a factor. */
  neededWork: z.number().positive(),
  fullWork: z.number().positive(),
  rounds: z.array(auditRoundSchema).min(1).readonly(),
});
export type AuditPoint = z.infer<typeof auditPointSchema>;

/** How a figure changes: a slope between logarithms, the mean over rounds with Student's interval. */
export const auditFindingSchema = z.object({
  figure: z.enum(auditFigures),
  /** `knob`: over the work that is needed, at one length. `length`: over the length, at one setting of the knob. */
  against: z.enum(['knob', 'length']),
  slope: z.number().nullable(),
  low: z.number().nullable(),
  high: z.number().nullable(),
  /** Two-sided. */
  confidence: z.number().min(0).max(1),
  /**
   * The slopes of an attention that computes what it needs, and of one that computes everything; of memory, of n and of n². What lies on one side
   * of `cut` is called the one, on the other side the other. Null: not judged.
   */
  expected: z.object({ needed: z.number(), everything: z.number(), cut: z.number() }).nullable(),
  standing: z.enum(auditStandings).nullable(),
  /** Whether the verdict rests on it. */
  decides: z.boolean(),
  /** Points that were not used: most of their figure is overhead, or noise. */
  setAside: z.int().min(0),
  reason: z.string().max(2000),
});
export type AuditFinding = z.infer<typeof auditFindingSchema>;

/** What `audit` found. */
export const auditRecordSchema = z.object({
  schema: z.literal(auditSchemaName),
  tool: z.object({ name: z.literal('attnswap'), version: z.string().max(100) }),
  command: z.array(z.string()).readonly(),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime(),
  host: z.unknown(),
  /** What was audited, as a user writes it: a kernel, a model's path, or a Python function. */
  name: z.string().max(1000),
  kind: z.enum(['kernel', 'model', 'callable']),
  backend: z.string().max(200),
  /** In words: heads, head dimension, causality, inputs. */
  setting: z.string().max(500),
  /** The parameter that says how much is attended to, and its value where the length varies; null where there is none. */
  knob: z.object({ name: z.string().max(100), value: z.number() }).nullable(),
  /** The length at which the knob varies. */
  length: z.int().min(1),
  threads: z.int().min(1),
  seed: z.int(),
  /** Whether the output was checked against the float64 reference before anything was timed. */
  checked: z.boolean(),
  /** One call on hardly any tokens; null where it could not be measured. */
  overhead: auditRoundSchema.omit({ peakBytes: true }).nullable(),
  points: z.array(auditPointSchema).min(1).readonly(),
  findings: z.array(auditFindingSchema).readonly(),
  verdict: z.enum(auditVerdicts),
  exitCode: z.int().min(0).max(2),
  /** The verdict in a sentence or two. */
  summary: z.string().max(4000),
  warnings: z.array(z.string().max(2000)).readonly(),
});
export type AuditRecord = z.infer<typeof auditRecordSchema>;

/** @throws INVALID_REPORT naming the field */
export const readAudit = recordReader(auditRecordSchema, {
  code: 'INVALID_REPORT',
  hint: `expected a document with schema ${auditSchemaName}`,
});
