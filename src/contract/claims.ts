import { z } from 'zod';
import { recordReader } from '../files/read-record.ts';

export const claimsSchemaName = 'attnswap.claims/1';

/** Of one figure: whether all of its interval agrees with the claim, none of it does, or neither is shown. */
export const claimStandings = ['holds', 'does-not-hold', 'undecided'] as const;
export type ClaimStanding = (typeof claimStandings)[number];

/** Of a claim. `holds-otherwise`: not by the first definition that was measured, but by another one. */
export const claimVerdicts = ['holds', 'holds-otherwise', 'does-not-hold', 'undecided', 'not-measured'] as const;
export type ClaimVerdict = (typeof claimVerdicts)[number];

/** `share`: .41 is 41 %. `factor`: 3 is three times. `points`: of a score as its task counts it. `cycles`: of one processor core. */
export const claimUnits = ['share', 'factor', 'points', 'cycles'] as const;
export type ClaimUnit = (typeof claimUnits)[number];

export const evidenceKinds = ['migration', 'tuning', 'run'] as const;

const text = z.string().max(20_000);
const texts = z.array(text).max(10_000).readonly();
const standing = z.enum(claimStandings);

export const claimFigureSchema = z.object({
  /** Of what it is, and where: `2 sites at 1024 tokens`. */
  of: text,
  value: z.number(),
  /** A 95 % interval, or that of the comparison; both null where one measurement alone was made, both equal to the value where it carries no noise. */
  low: z.number().nullable(),
  high: z.number().nullable(),
  /** What else must be known of it; '' for nothing. */
  note: text,
  /** Place of its source in the record. */
  source: z.int().min(0),
  standing,
});
export type ClaimFigure = z.infer<typeof claimFigureSchema>;

/** One way to read a claim. Its first figure decides. */
export const claimDefinitionSchema = z.object({
  name: text,
  formula: text,
  /** Null where it was not measured. */
  standing: standing.nullable(),
  figures: z.array(claimFigureSchema).max(10_000).readonly(),
});
export type ClaimDefinition = z.infer<typeof claimDefinitionSchema>;

export const judgedClaimSchema = z.object({
  id: text,
  /** What the article claims, in our words. */
  words: text,
  /** Its figure. */
  figure: text,
  unit: z.enum(claimUnits),
  /** The weakest figure that agrees with the claim. */
  bound: z.object({ side: z.enum(['least', 'most']), value: z.number() }),
  verdict: z.enum(claimVerdicts),
  /** The definition that the verdict rests on; null where none was measured. */
  decidedBy: text.nullable(),
  /** The verdict in a sentence. */
  reason: text,
  /** What to run: for the same figures again, or for those that are missing. */
  command: texts,
  /** The preferred one first. */
  definitions: z.array(claimDefinitionSchema).min(1).max(100).readonly(),
});
export type JudgedClaim = z.infer<typeof judgedClaimSchema>;

/** A record that figures were taken from. */
export const claimSourceSchema = z.object({
  kind: z.enum(evidenceKinds),
  path: text,
  /** The model, or the suite. */
  subject: text,
  command: texts,
});
export type ClaimSource = z.infer<typeof claimSourceSchema>;

/** What `claims` found. */
export const claimsRecordSchema = z.object({
  schema: z.literal(claimsSchemaName),
  tool: z.object({ name: z.literal('attnswap'), version: z.string().max(100) }),
  command: texts,
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime(),
  host: z.unknown(),
  /** What may have disturbed the measurements. */
  warnings: texts,
  /** What was not measured, or does not count, and why; absent where that is nothing. */
  notes: texts.optional(),
  sources: z.array(claimSourceSchema).max(1000).readonly(),
  claims: z.array(judgedClaimSchema).min(1).max(1000).readonly(),
});
export type ClaimsRecord = z.infer<typeof claimsRecordSchema>;

/** @throws INVALID_REPORT naming the field */
export const readClaims = recordReader(claimsRecordSchema, {
  code: 'INVALID_REPORT',
  hint: `expected a document with schema ${claimsSchemaName}, as written by attnswap claims`,
});
