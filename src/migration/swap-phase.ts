import { kernelOf } from '../measure/plan-cells.ts';
import { formatVariant } from '../variants/index.ts';
import type { MeasuredBaseline } from './baseline-phase.ts';
import { judgeCandidate } from './candidate.ts';
import type { CandidateResult } from './candidate.ts';
import type { Migration } from './migration.ts';
import { replacementsAnywhere } from './parse-replacements.ts';
import type { ModelCandidate } from './subject.ts';

/** Phase 2: every candidate at all sites that can be swapped and that it is for, against the original. */
export async function judgeCandidates(migration: Migration, baseline: MeasuredBaseline): Promise<CandidateResult[]> {
  const results: CandidateResult[] = [];
  for (const candidate of uniformCandidates(migration)) results.push(await judgeCandidate(migration, candidate, baseline));
  return results;
}

/** One candidate a variant, under its full name, `window.tiled:w=64`. @throws UNSUPPORTED, UNKNOWN_VARIANT, UNKNOWN_KERNEL, INVALID_PARAMETERS */
export function uniformCandidates({ settings, sites, runner }: Pick<Migration, 'settings' | 'sites' | 'runner'>): ModelCandidate[] {
  const found = settings.candidates.map((text) => {
    const replacements = replacementsAnywhere(
      [text],
      [...sites.swappable.values()].map(({ site }) => site),
      runner.adapter,
    );
    const { variant, parameters } = [...replacements.values()][0]!;
    const passedOver = [...sites.swappable.keys()].filter((site) => !replacements.has(site));
    const name = formatVariant({ variant, parameters, kernel: kernelOf(runner.adapter, text).kernel });
    return { name, replacements, ...(passedOver.length > 0 && { passedOver }) };
  });
  return [...new Map(found.map((candidate) => [candidate.name, candidate])).values()];
}
