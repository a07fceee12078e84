import { measureBaseline } from './baseline-phase.ts';
import type { MeasuredBaseline } from './baseline-phase.ts';
import type { CandidateResult } from './candidate.ts';
import type { MigrationVerdict } from './decide.ts';
import { bestOf, frontOf, judgeFinally, standingsOf } from './final-phase.ts';
import type { FinalResult, ParetoPoint } from './final-phase.ts';
import type { Migration, Phase } from './migration.ts';
import { recoverCandidates } from './recover.ts';
import type { NotRecovered, Recovered } from './recover.ts';
import { measureScaling } from './scaling.ts';
import type { Scaling } from './scaling.ts';
import { judgeCandidates } from './swap-phase.ts';
import { tune } from './tune-phase.ts';
import type { TuneResult } from './tune-phase.ts';

/** Everything that a migration found; phases that were not reached are null. */
export interface MigrationReport {
  readonly baseline: MeasuredBaseline;
  readonly candidates: readonly CandidateResult[] | null;
  readonly tuned: TuneResult | null;
  /** What training brought back; null where nothing was trained. */
  readonly recovered: ReadonlyArray<Recovered | NotRecovered> | null;
  /** What several ranks cost and gain in training; null where one process trains. */
  readonly scaling: Scaling | null;
  readonly standings: readonly ParetoPoint[];
  /** Names of the candidates that no other one beats in quality, latency and memory. */
  readonly front: readonly string[];
  readonly final: FinalResult | null;
  /** What to do with the model; null where no candidate was judged. */
  readonly verdict: MigrationVerdict | null;
}

/** Takes a migration as far as a phase: baseline; every candidate against it; tuning, and a last comparison of the best. */
export async function migrate(migration: Migration, until: Phase): Promise<MigrationReport> {
  const baseline = await measureBaseline(migration);
  const nothing = { candidates: null, tuned: null, recovered: null, scaling: null, standings: [], front: [], final: null, verdict: null };
  if (until === 'baseline') return { baseline, ...nothing };
  const candidates = await judgeCandidates(migration, baseline);
  const tuned = until === 'tune' ? await tune(migration, baseline, candidates) : null;
  const trains = until === 'tune' && migration.settings.recover !== undefined;
  const recovered = trains ? await recoverCandidates(migration, baseline, candidates) : null;
  const scaling = trains && migration.settings.recover!.ranks > 1 ? await measureScaling(migration) : null;
  const found = [tuned?.result ?? [], ...(recovered ?? []).map((each) => ('result' in each ? each.result : []))];
  const results = [...candidates, ...found.flat()];
  const standings = standingsOf(results);
  const shared = { baseline, candidates, tuned, recovered, scaling, standings, front: frontOf(standings) };
  const best = bestOf(results, migration.settings.margin);
  const final = until === 'tune' && best !== undefined ? await judgeFinally(migration, best) : null;
  return { ...shared, final, verdict: final?.decision.verdict ?? overall(results) };
}

function overall(results: readonly CandidateResult[]): MigrationVerdict {
  const verdicts = results.map(({ decision }) => decision.verdict);
  return verdicts.includes('adopt') ? 'adopt' : verdicts.includes('tune-first') ? 'tune-first' : 'reject';
}
