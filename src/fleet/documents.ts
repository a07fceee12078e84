import { z } from 'zod';
import { runSchema } from '../contract/run.ts';
import type { RunRecord } from '../contract/run.ts';
import { suiteSchema } from '../contract/suite.ts';
import { hostIdPattern } from './keys.ts';
import { labelName, labelValue } from './labels.ts';

// What the hosts of a fleet tell each other through Redis. All of it is untrusted: whoever has the password can write it.

const hostId = z.string().regex(hostIdPattern);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
/** More runs than that are refused. */
export const mostRuns = 10_000;

export const submissionIdPattern = /^[a-z0-9]{12}$/;

/** A host that joined. */
export const hostSchema = z.object({
  name: z.string().min(1).max(80),
  publicKey: z.string().max(100),
  labels: z.record(z.string().regex(labelName), z.string().regex(labelValue)),
  version: z.string().max(40),
  /** Without a sign of life for so long it counts as lost. */
  lostAfterMs: z.int().min(100).max(3_600_000),
});
export type MemberHost = z.infer<typeof hostSchema>;

/** A suite that the worker's own installation has, or its data: never code, never a path. */
export const jobSuiteSchema = z.union([
  z.strictObject({ name: z.string().regex(/^[a-z][a-z0-9-]{0,60}$/), sha256 }),
  z.strictObject({ data: suiteSchema, sha256 }),
]);
export type JobSuite = z.infer<typeof jobSuiteSchema>;

/** What was submitted: one run for each host and repeat. */
export const submissionSchema = z.object({
  suite: jobSuiteSchema,
  submittedAt: z.iso.datetime(),
  runs: z
    .array(z.object({ host: hostId, repeat: z.int().min(1).max(1000) }))
    .min(1)
    .max(mostRuns),
});
export type Submission = z.infer<typeof submissionSchema>;

/** What a job of the queue holds: which run of which submission. */
export const jobSchema = z.object({ submission: z.string().regex(submissionIdPattern), run: z.int().min(0).max(mostRuns) });
export type RunPlace = z.infer<typeof jobSchema>;

/** What a host says of a run that it took, before its cells. */
export const headSchema = runSchema.omit({ schema: true, endedAt: true, complete: true, cells: true }).extend({
  /** Of the hosts that took the run one after another, how many were before. */
  rank: z.int().min(0).max(1000),
});
export type Head = z.infer<typeof headSchema>;

/** How a run ended on a host. */
export const endSchema = z.object({
  outcome: z.enum(['done', 'refused', 'cancelled']),
  endedAt: z.iso.datetime(),
  reason: z.string().max(2000).optional(),
});
export type End = z.infer<typeof endSchema>;

/** How a run ended on a host; `dropped` where nobody can be told. */
export type RunOutcome = End['outcome'] | 'dropped';
/** How many runs a host took, by how they ended. */
export type Taken = Readonly<Record<RunOutcome, number>>;

/** A run that has ended, or was given up. */
export interface WaitedRun {
  /** From 0, in the order of the submission. */
  readonly number: number;
  /** The host that it was meant for. */
  readonly host: string;
  readonly repeat: number;
  readonly records: ReadonlyArray<{ readonly host: string; readonly hostId: string; readonly record: RunRecord }>;
  /** Ids of declared cells that nobody measured; `all` where no host got as far as saying which there are. */
  readonly missing: 'all' | readonly string[];
  /** Why something is missing, or was left out. */
  readonly reasons: readonly string[];
}
