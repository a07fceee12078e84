import { gainPlan } from '../decide/sequential.ts';
import { compareModels, modelMemoryLooks, stepOf } from './arms.ts';
import type { CandidateResult } from './candidate.ts';
import type { Dispatch } from '../contract/adapter.ts';
import { judgementOf } from './candidate-quality.ts';
import { finalName } from './course.ts';
import { dispatchOf } from './dispatch.ts';
import { decideMigration } from './decide.ts';
import type { ComparisonAtLength, MigrationDecision, Use } from './decide.ts';
import type { Migration } from './migration.ts';
import { paretoFront } from './pareto.ts';

/** The last comparison: the best candidate against the original at every length. */
export interface FinalResult {
  readonly candidate: string;
  readonly latency: readonly ComparisonAtLength[];
  readonly memory: readonly ComparisonAtLength[];
  /** The same of one token behind a cache; null where the model is not decoded through one. */
  readonly decode: Pick<FinalResult, 'latency' | 'memory'> | null;
  readonly decision: MigrationDecision;
  /** As of the original. */
  readonly dispatch: Dispatch | null;
  /** The migrated model, where it is to be adopted: its file, or the folder of its files. */
  readonly model: string | null;
}

/** Quality, latency and memory beside the original's: what no other candidate beats in all three. */
export interface ParetoPoint {
  readonly name: string;
  /** Margins of quality lost. */
  readonly loss: number;
  /** The most that was lost, by the end of its interval: what ranks where any candidate was judged on fewer items than others. */
  readonly atMost?: number;
  /** New over base at the length of comparison. */
  readonly latency: number;
  readonly memory: number;
  /** The same of one token behind a cache; of a decoder alone. */
  readonly decode?: { readonly latency: number; readonly memory: number };
}

type Compared = Pick<CandidateResult, 'latency' | 'memory'>;

/** What was measured of each candidate; those that were not timed have no place. */
export function standingsOf(results: readonly CandidateResult[]): ParetoPoint[] {
  const ratios = ({ latency, memory }: Compared) =>
    latency?.effect && memory?.effect ? { latency: 1 + latency.effect.estimate, memory: 1 + memory.effect.estimate } : undefined;
  // Means over different items rank by luck.
  const anyStopped = results.some(({ quality }) => quality?.task && quality.task.items < (quality.task.of ?? 0));
  return results.flatMap((result) => {
    const [prefill, decode] = [ratios(result), result.decode && ratios(result.decode)];
    if (result.quality === null || prefill === undefined) return [];
    const { marginsLost, marginsAtMost } = judgementOf(result);
    const loss = Math.max(0, marginsLost);
    const most = anyStopped && { atMost: Math.max(0, marginsAtMost ?? marginsLost) };
    return [{ name: result.name, loss, ...most, ...prefill, ...(decode && { decode }) }];
  });
}

const figures = ['loss', 'latency', 'memory'];

/** Names of the candidates on the front. */
export function frontOf(standings: readonly ParetoPoint[]): string[] {
  const candidates = standings.map(({ name, loss, atMost = loss, latency, memory, decode }) => ({
    name,
    figures: { loss: atMost, latency, memory, ...(decode && { decodeLatency: decode.latency, decodeMemory: decode.memory }) },
  }));
  const names = standings.some(({ decode }) => decode !== undefined) ? [...figures, 'decodeLatency', 'decodeMemory'] : figures;
  const objectives = names.map((name) => ({ name, goal: 'minimise' as const }));
  return paretoFront(candidates, objectives).front.map(({ name }) => name);
}

/**
 * Of the candidates that may be adopted, the one whose latency and memory fell most together; of those whose intervals reach within the
 * margin of it, which noise may have ranked, the one that loses least. Undefined where there is none.
 */
export function bestOf(results: readonly CandidateResult[], margin: number): CandidateResult | undefined {
  const standings = new Map(standingsOf(results).map((standing) => [standing.name, standing]));
  const adoptable = results.filter(({ decision }) => decision.verdict === 'adopt');
  const least = Math.min(...adoptable.map((result) => costOf(result, 'estimate')));
  const loss = ({ name }: CandidateResult) => standings.get(name)?.atMost ?? standings.get(name)?.loss ?? Infinity;
  return adoptable.filter((result) => costOf(result, 'low') <= least + Math.log1p(margin)).toSorted((a, b) => loss(a) - loss(b))[0];
}

/** The logarithm of what latency and memory came to together, as estimated or at the best that their intervals allow; lower is better. */
function costOf({ latency, memory, decode }: Compared & { readonly decode?: Compared | null }, end: 'estimate' | 'low'): number {
  if (!latency?.effect || !memory?.effect) return Infinity;
  return Math.log1p(latency.effect[end]) + Math.log1p(memory.effect[end]) + (decode ? costOf(decode, end) : 0);
}

/** Compares the best candidate with the original at every length, and keeps its model where the verdict is to adopt it. */
export async function judgeFinally(migration: Migration, best: CandidateResult): Promise<FinalResult> {
  const { settings, state, subject } = migration;
  const prefill = await comparedAtAll(migration, best, best.decode === null ? undefined : 'prefill');
  const decode = best.decode === null ? null : await comparedAtAll(migration, best, 'decode');
  const evidence = {
    candidate: best.name,
    latency: [...prefill.latency, ...(decode?.latency ?? [])],
    memory: [...prefill.memory, ...(decode?.memory ?? [])],
    wantedLengths: settings.lengths,
  };
  const decision = decideMigration({ ...evidence, quality: best.quality && judgementOf(best) });
  const dispatch = await dispatchOf(migration, finalName(best.name), best.model);
  const compared = { candidate: best.name, ...prefill, decode, decision, dispatch };
  if (decision.verdict !== 'adopt') return { ...compared, model: null };
  const written = { path: best.model, folder: state.folder };
  return { ...compared, model: await subject.adopt(migration.judged.get(best.name)!, written) };
}

/** The best candidate against the original at every length, in one use; none is named where the model has but one. */
async function comparedAtAll(
  migration: Migration,
  best: CandidateResult,
  named: Use | undefined,
): Promise<Pick<FinalResult, 'latency' | 'memory'>> {
  const { settings } = migration;
  const use = named ?? 'prefill';
  const screened = use === 'decode' ? best.decode : best;
  const latency: ComparisonAtLength[] = [];
  const memory: ComparisonAtLength[] = [];
  for (const length of settings.lengths) {
    const at = { name: finalName(best.name), model: best.model, length, use };
    const compared = { length, ...(named !== undefined && { use: named }) };
    latency.push({ ...compared, comparison: await compareModels(migration, 'latency', { ...at, plan: gainPlan(settings.maxBlocks) }) });
    // Peaks do not drift: what this run showed of this length stays.
    const isOwn = !(stepOf('peak-memory', { name: best.name, length, use }) in migration.state.reused);
    const known =
      isOwn && length === settings.compareAt && screened?.memory?.outcome !== 'inconclusive' ? (screened?.memory ?? null) : null;
    memory.push({ ...compared, comparison: known ?? (await compareModels(migration, 'peak-memory', { ...at, plan: modelMemoryLooks })) });
  }
  return { latency, memory };
}
