import { join } from 'node:path';
import { gainPlan } from '../decide/sequential.ts';
import { readOnnxFile, writeOnnxFile } from '../model/file/onnx-file.ts';
import { compareModels, modelMemoryLooks } from './arms.ts';
import type { CandidateResult } from './candidate.ts';
import { finalName } from './course.ts';
import { decideMigration } from './decide.ts';
import type { ComparisonAtLength, MigrationDecision } from './decide.ts';
import type { Migration } from './migration.ts';
import { paretoFront } from './pareto.ts';

/** The last comparison: the best candidate against the original at every length. */
export interface FinalResult {
  readonly candidate: string;
  readonly latency: readonly ComparisonAtLength[];
  readonly memory: readonly ComparisonAtLength[];
  readonly decision: MigrationDecision;
  /** The migrated model, where it is to be adopted. */
  readonly model: string | null;
}

/** Quality, latency and memory beside the original's: what no other candidate beats in all three. */
export interface ParetoPoint {
  readonly name: string;
  /** Margins of quality lost. */
  readonly loss: number;
  /** New over base at the length of comparison. */
  readonly latency: number;
  readonly memory: number;
}

/** What was measured of each candidate; those that were not timed have no place. */
export function standingsOf(results: readonly CandidateResult[]): ParetoPoint[] {
  return results.flatMap(({ name, quality, latency, memory }) => {
    if (quality === null || !latency?.effect || !memory?.effect) return [];
    const loss = Math.max(0, quality.judgement.marginsLost);
    return [{ name, loss, latency: 1 + latency.effect.estimate, memory: 1 + memory.effect.estimate }];
  });
}

/** Names of the candidates on the front. */
export function frontOf(standings: readonly ParetoPoint[]): string[] {
  const candidates = standings.map(({ name, loss, latency, memory }) => ({ name, figures: { loss, latency, memory } }));
  const objectives = (['loss', 'latency', 'memory'] as const).map((name) => ({ name, goal: 'minimise' as const }));
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
  const loss = ({ name }: CandidateResult) => standings.get(name)?.loss ?? Infinity;
  return adoptable.filter((result) => costOf(result, 'low') <= least + Math.log1p(margin)).toSorted((a, b) => loss(a) - loss(b))[0];
}

/** The logarithm of what latency and memory came to together, as estimated or at the best that their intervals allow; lower is better. */
function costOf({ latency, memory }: CandidateResult, end: 'estimate' | 'low'): number {
  if (!latency?.effect || !memory?.effect) return Infinity;
  return Math.log1p(latency.effect[end]) + Math.log1p(memory.effect[end]);
}

/** Compares the best candidate with the original at every length, and keeps its model where the verdict is to adopt it. */
export async function judgeFinally(migration: Migration, best: CandidateResult): Promise<FinalResult> {
  const { settings, state } = migration;
  const latency: ComparisonAtLength[] = [];
  const memory: ComparisonAtLength[] = [];
  for (const length of settings.lengths) {
    const at = { name: finalName(best.name), model: best.model, length };
    latency.push({ length, comparison: await compareModels(migration, 'latency', { ...at, plan: gainPlan(settings.maxBlocks) }) });
    // Peaks do not drift: what was shown of this length stays.
    const known = length === settings.compareAt && best.memory?.outcome !== 'inconclusive' ? best.memory : null;
    memory.push({ length, comparison: known ?? (await compareModels(migration, 'peak-memory', { ...at, plan: modelMemoryLooks })) });
  }
  const quality = best.quality?.judgement ?? null;
  const decision = decideMigration({ candidate: best.name, latency, memory, wantedLengths: settings.lengths, quality });
  if (decision.verdict !== 'adopt') return { candidate: best.name, latency, memory, decision, model: null };
  const model = join(state.folder, 'migrated.onnx');
  // Not a copy of the file alone: a model may have its weights beside it.
  const adopted = await readOnnxFile(best.model);
  await writeOnnxFile(model, adopted.proto, adopted);
  return { candidate: best.name, latency, memory, decision, model };
}
