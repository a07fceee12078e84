import { z } from 'zod';
import { AttnswapError } from '../contract/errors.ts';
import { runSchema } from '../contract/run.ts';
import type { RunRecord } from '../contract/run.ts';
import { portableSchema } from './portable-schema.ts';
import { compareHosts } from '../measure/same-host.ts';

/**
 * Runs of a suite that were promoted, each by whom, when and why; figures are medians over them: one bad run changes little. A portable
 * one holds the figures alone that carry from machine to machine, and no runs.
 */
export const baselineSchema = z
  .object({
    schema: z.literal('attnswap.baseline/1'),
    name: z.string().max(100),
    fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
    runs: z
      .array(z.object({ promotedAt: z.iso.datetime(), by: z.string().max(200), reason: z.string().min(1).max(2000), run: runSchema }))
      .max(50),
    portable: portableSchema.optional(),
  })
  .refine(({ runs, portable }) => runs.length > 0 || portable !== undefined, { path: ['runs'], message: 'expected at least one' });
export type Baseline = z.infer<typeof baselineSchema>;

/** Runs that a baseline keeps: the latest. */
const mostRuns = 10;

export interface Promotion {
  readonly name: string;
  readonly by: string;
  readonly reason: string;
  /** ISO 8601. */
  readonly promotedAt: string;
}

/**
 * Adds runs to a baseline, or begins one.
 * @throws INVALID_BASELINE where a run is incomplete or unclean, of another host or suite than the baseline's, or promoted already
 */
export function promote(runs: readonly RunRecord[], promotion: Promotion, existing?: Baseline): Baseline {
  const { name, by, reason, promotedAt } = promotion;
  if (reason.trim() === '') throw new AttnswapError('USAGE', `baseline ${name}: the reason is missing`, { hint: "--reason 'release 1.2'" });
  const kept = [...(existing?.runs ?? [])];
  for (const run of runs) {
    refuseUnclean(run);
    const first = kept[0]?.run ?? runs[0]!;
    const { differing } = compareHosts(first.host, run.host);
    if (differing.length > 0) {
      const where = `was measured on a different host or configuration than ${name}: ${differing.join(', ')}`;
      refuse(run, where, 'store it under another name');
    }
    if (run.suite.sha256 !== first.suite.sha256) refuse(run, `is from a different suite than ${name}`, `store it under another name`);
    if (kept.some((other) => other.run.startedAt === run.startedAt)) refuse(run, `is already in ${name}`, 'measure again: attnswap bench');
    kept.push({ promotedAt, by, reason, run });
  }
  const latest = kept.slice(-mostRuns);
  return { schema: 'attnswap.baseline/1', name, fingerprint: fingerprintOf(latest[0]!.run), runs: latest };
}

/** The full fingerprint of the host that a run was measured on; '' where the record has none. */
export function fingerprintOf(run: Pick<RunRecord, 'host'>): string {
  const parsed = z.object({ fingerprint: z.object({ sha256: z.string() }) }).safeParse(run.host);
  return parsed.success ? parsed.data.fingerprint.sha256 : '';
}

function refuseUnclean(run: RunRecord): void {
  if (!run.complete) refuse(run, `is incomplete (${run.cells.length} of ${run.declared.length} cells)`, 'attnswap bench --resume');
  const bad = run.cells.find(({ status }) => status !== 'ok');
  if (bad !== undefined) refuse(run, `has a cell that is ${bad.status}: ${bad.id}`, 'fix it and measure again');
  if (run.cells.length === 0) refuse(run, 'has no cells', 'measure again');
  if (fingerprintOf(run) === '') refuse(run, 'does not describe the host it was measured on', 'measure again with this version');
}

function refuse(run: RunRecord, why: string, hint: string): never {
  throw new AttnswapError('INVALID_BASELINE', `the run of ${run.suite.name} started at ${run.startedAt} ${why}`, { hint });
}
