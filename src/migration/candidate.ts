import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelProto } from 'onnx-buf';
import type { Comparison } from '../contract/verdict.ts';
import type { LookPlan } from '../decide/sequential.ts';
import { readOnnxFile, writeOnnxFile } from '../model/onnx-file.ts';
import { proveUnchanged } from '../model/prove.ts';
import type { SwapProof } from '../model/prove.ts';
import { swapSites } from '../model/swap.ts';
import type { Replacement } from '../model/swap.ts';
import { compareModels } from './arms.ts';
import type { Baseline } from './baseline-phase.ts';
import { decideMigration, tunableMargins } from './decide.ts';
import type { MigrationDecision } from './decide.ts';
import { itemsOf } from './migration.ts';
import type { Migration } from './migration.ts';
import { qualityOf } from './quality-of.ts';
import type { CandidateQuality } from './quality-of.ts';

/** Attention to be judged in place of the original's. */
export interface Candidate {
  /** As a user writes it, such as `window.tiled:w=64`, or `0=dense.fused 1=window.tiled:w=64`. */
  readonly name: string;
  readonly replacements: ReadonlyMap<number, Replacement>;
  /** Applied to the swapped model; `tensors` are those whose values it changes. */
  readonly finish?: { readonly tensors: readonly string[]; apply(proto: ModelProto): ModelProto };
}

/** What a candidate came to. */
export interface CandidateResult {
  readonly name: string;
  /** Where its model lies. */
  readonly model: string;
  readonly proof: SwapProof | null;
  readonly quality: CandidateQuality | null;
  /** At the length at which candidates are compared; null where quality was lost beyond tuning, so that nothing was timed. */
  readonly latency: Comparison | null;
  readonly memory: Comparison | null;
  readonly decision: MigrationDecision;
}

/** Few blocks: enough for the gains that a migration is for; the last comparison takes more. */
const screening: LookPlan = { looks: [3], tail: 0.0175 };

/** The mathematics of the original, summed in another order. */
export function isExact({ replacements, finish }: Candidate): boolean {
  return (
    finish === undefined && [...replacements.values()].every(({ variant, scaleFactor = 1 }) => variant === 'dense' && scaleFactor === 1)
  );
}

/** The candidate's model. @throws UNSUPPORTED, INVALID_MODEL */
export function candidateProto({ sites, runner, settings }: Migration, { replacements, finish }: Candidate): ModelProto {
  const swapped = swapSites(sites, { adapter: runner.adapter, replacements, seed: settings.seed });
  return finish === undefined ? swapped : finish.apply(swapped);
}

/** Writes a candidate's model, proves it, judges its quality and, where that is worth it, times it. */
export async function judgeCandidate(migration: Migration, candidate: Candidate, baseline: Baseline): Promise<CandidateResult> {
  const { name } = candidate;
  const { state, settings } = migration;
  const model = join(state.folder, 'models', `${name.replaceAll(/[^\w.=,-]+/g, '_')}.onnx`);
  const written = await state.step(`candidate/${name}/model`, () => writeCandidate(migration, candidate, model));
  if ('failure' in written) return rejected({ name, model, proof: null, quality: null }, written.failure);
  const quality = await state.step(`candidate/${name}/quality`, async () => {
    migration.progress(`${name}: quality`);
    const items = await itemsOf(migration, 'judging');
    return qualityOf(migration, candidateProto(migration, candidate), { items, base: baseline.scores, exact: isExact(candidate) });
  });
  const { proof } = written;
  const { judgement } = quality;
  if (judgement.outcome === 'regression' && !(judgement.marginsLost !== null && judgement.marginsLost <= tunableMargins))
    return rejected({ name, model, proof, quality }, `${judgement.reason}; it was not timed`);
  const at = { name, model, length: settings.compareAt, plan: screening };
  const latency = await compareModels(migration, 'latency', at);
  const memory = await compareModels(migration, 'peak-memory', at);
  const wantedLengths = [settings.compareAt];
  const decision = decideMigration({
    candidate: name,
    latency: [{ length: settings.compareAt, comparison: latency }],
    memory: [{ length: settings.compareAt, comparison: memory }],
    wantedLengths,
    quality: judgement,
  });
  return { name, model, proof, quality, latency, memory, decision };
}

function rejected(known: Pick<CandidateResult, 'name' | 'model' | 'proof' | 'quality'>, reason: string): CandidateResult {
  const decision = { candidate: known.name, verdict: 'reject' as const, reasons: [reason], decidedBy: ['quality'] };
  return { ...known, latency: null, memory: null, decision };
}

async function writeCandidate(
  migration: Migration,
  candidate: Candidate,
  model: string,
): Promise<{ readonly proof: SwapProof } | { readonly failure: string }> {
  const { sites, file, state } = migration;
  try {
    const proto = candidateProto(migration, candidate);
    await mkdir(join(state.folder, 'models'), { recursive: true });
    await writeOnnxFile(model, proto, file);
    return { proof: proveUnchanged(sites.proto, (await readOnnxFile(model)).proto, new Set(candidate.finish?.tensors)) };
  } catch (error) {
    if (!(error instanceof Error) || (error as { code?: string }).code === 'FILE_UNWRITABLE') throw error;
    return { failure: error.message };
  }
}
