import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelProto } from 'onnx-buf';
import { AttnswapError } from '../contract/errors.ts';
import type { Comparison } from '../contract/verdict.ts';
import type { LookPlan } from '../decide/sequential.ts';
import { requireCache } from '../model/cache/require-cache.ts';
import { compareSites } from '../model/swap/compare-sites.ts';
import { readOnnxFile, writeOnnxFile } from '../model/file/onnx-file.ts';
import { proveUnchanged } from '../model/swap/prove.ts';
import type { SwapProof } from '../model/swap/prove.ts';
import { swapSites } from '../model/swap/swap.ts';
import type { Replacement } from '../model/swap/swap.ts';
import { compareModels, modelMemoryLooks } from './arms.ts';
import type { ArmComparison } from './arms.ts';
import type { MeasuredBaseline } from './baseline-phase.ts';
import { isHopeless, judgementOf, qualitiesOf } from './candidate-quality.ts';
import type { CandidateQualities } from './candidate-quality.ts';
import { decideMigration } from './decide.ts';
import type { MigrationDecision } from './decide.ts';
import type { DecodeQuality } from './decoding.ts';
import type { Migration } from './migration.ts';
import { passedOverText } from './passed-over.ts';
import type { CandidateQuality } from './quality-of.ts';

/** Attention to be judged in place of the original's. */
export interface Candidate {
  /** As a user writes it, such as `window.tiled:w=64`, or `0=dense.fused 1=window.tiled:w=64`. */
  readonly name: string;
  readonly replacements: ReadonlyMap<number, Replacement>;
  /** Applied to the swapped model; `tensors` are those whose values it changes. */
  readonly finish?: { readonly tensors: readonly string[]; apply(proto: ModelProto): ModelProto };
  /** As of a {@link CandidateResult}. */
  readonly passedOver?: readonly number[];
}

/** What a candidate came to. */
export interface CandidateResult extends Pick<CandidateQualities, 'generation'> {
  readonly name: string;
  /** Where its model lies. */
  readonly model: string;
  readonly proof: SwapProof | null;
  readonly quality: CandidateQuality | null;
  /** At the length at which candidates are compared; null where quality was lost beyond tuning, so that nothing was timed. */
  readonly latency: Comparison | null;
  readonly memory: Comparison | null;
  /** The same of one token behind a cache; null where the model is not decoded through one. */
  readonly decode: CandidateDecode | null;
  readonly decision: MigrationDecision;
  /** Cross-attention that keeps its own, as the candidate is for positions of one sequence; absent where there is none. */
  readonly passedOver?: readonly number[];
}

/** What a candidate came to in decoding. */
export interface CandidateDecode {
  readonly quality: DecodeQuality;
  readonly latency: Comparison | null;
  readonly memory: Comparison | null;
}

/** Few blocks: enough for the gains that a migration is for; the last comparison takes more. */
const screening: LookPlan = { looks: [3], tail: 0.0175 };

/** The candidate's model. @throws UNSUPPORTED, INVALID_MODEL */
export function candidateProto({ sites, runner, settings }: Migration, { replacements, finish }: Candidate): ModelProto {
  const swapped = swapSites(sites, { adapter: runner.adapter, replacements, seed: settings.seed });
  return finish === undefined ? swapped : finish.apply(swapped);
}

/** Writes a candidate's model, proves it, judges its quality and, where that is worth it, times it. */
export async function judgeCandidate(migration: Migration, candidate: Candidate, baseline: MeasuredBaseline): Promise<CandidateResult> {
  const { name, replacements, passedOver } = candidate;
  migration.replacements.set(name, replacements);
  const result = await judged(migration, candidate, baseline);
  if (passedOver === undefined) return result;
  const reasons = [...result.decision.reasons, `S${passedOverText(passedOver).slice(1)}.`];
  return { ...result, decision: { ...result.decision, reasons }, passedOver };
}

async function judged(migration: Migration, candidate: Candidate, baseline: MeasuredBaseline): Promise<CandidateResult> {
  const { name } = candidate;
  const { state, settings } = migration;
  const model = join(state.folder, 'models', fileNameOf(name));
  const written = await state.step(`candidate/${name}/model`, () => writeCandidate(migration, candidate, model));
  if ('failure' in written) return rejected({ name, model, proof: null, quality: null, decode: null, generation: null }, written.failure);
  // A user may have made room since.
  if (!existsSync(model)) await writeCandidate(migration, candidate, model);
  const qualities = await qualitiesOf(migration, { ...candidate, proto: () => candidateProto(migration, candidate) }, baseline);
  const untimed = { latency: null, memory: null };
  const judged = { name, model, proof: written.proof, ...qualities, decode: qualities.decode && { quality: qualities.decode, ...untimed } };
  const judgement = judgementOf(judged);
  if (isHopeless(judgement)) return rejected(judged, `${judgement.reason}; it was not timed`);
  const at = { name, model, length: settings.compareAt };
  const prefill = await comparedAt(migration, { ...at, use: 'prefill' });
  const decode = judged.decode && { ...judged.decode, ...(await comparedAt(migration, { ...at, use: 'decode' })) };
  const found = (metric: 'latency' | 'memory') => [
    { length: at.length, comparison: prefill[metric], ...(decode && { use: 'prefill' as const }) },
    ...(decode ? [{ length: at.length, comparison: decode[metric], use: 'decode' as const }] : []),
  ];
  const evidence = { candidate: name, latency: found('latency'), memory: found('memory'), wantedLengths: [at.length] };
  return { ...judged, ...prefill, decode, decision: decideMigration({ ...evidence, quality: judgement }) };
}

async function comparedAt(
  migration: Migration,
  at: Omit<ArmComparison, 'plan'>,
): Promise<{ readonly latency: Comparison; readonly memory: Comparison }> {
  const latency = await compareModels(migration, 'latency', { ...at, plan: screening });
  return { latency, memory: await compareModels(migration, 'peak-memory', { ...at, plan: modelMemoryLooks }) };
}

/** A candidate's file: its name where a file can have it, shortened and told apart by a digest where there are many sites. */
export function fileNameOf(candidate: string): string {
  const plain = candidate.replaceAll(/[^\w.=,-]+/g, '_');
  const digest = createHash('sha256').update(candidate).digest('hex').slice(0, 12);
  return `${plain.length <= 100 ? plain : `${plain.slice(0, 80)}-${digest}`}.onnx`;
}

function rejected(known: Omit<CandidateResult, 'latency' | 'memory' | 'decision'>, reason: string): CandidateResult {
  const decision = {
    candidate: known.name,
    verdict: 'reject' as const,
    reasons: [reason],
    decidedBy: known.quality === null ? [] : ['quality'],
  };
  return { ...known, latency: null, memory: null, decision };
}

async function writeCandidate(
  migration: Migration,
  candidate: Candidate,
  model: string,
): Promise<{ readonly proof: SwapProof } | { readonly failure: string }> {
  const { sites, file, state } = migration;
  await mkdir(join(state.folder, 'models'), { recursive: true });
  try {
    const proto = candidateProto(migration, candidate);
    await requireRight(migration, candidate, proto);
    await requireCache(proto, migration.cache, file, migration.runner);
    await migration.files?.check(candidate.replacements);
    await writeOnnxFile(model, proto, file);
    return { proof: proveUnchanged(sites.proto, (await readOnnxFile(model)).proto, new Set(candidate.finish?.tensors)) };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return { failure: error.message };
  }
}

/** New attention must be what its variant is defined to be, on what each site itself reads. @throws UNSUPPORTED where it is not */
async function requireRight(migration: Migration, { replacements }: Candidate, swapped: ModelProto): Promise<void> {
  const { file, sites, runner, settings, dimensions } = migration;
  const wrong = (await compareSites(file, { sites, swapped, replacements, seed: settings.seed }, runner, dimensions)).find(
    ({ reason }) => reason !== undefined,
  );
  if (wrong !== undefined) throw new AttnswapError('UNSUPPORTED', `the new attention at site ${wrong.site} is wrong: ${wrong.reason}`);
}

/** Whether a candidate is to blame for an error, and not the machine or attnswap. */
export function isRefusal(error: unknown): error is AttnswapError {
  return error instanceof AttnswapError && ['UNSUPPORTED', 'INVALID_MODEL', 'INVALID_PARAMETERS', 'INVALID_DATA'].includes(error.code);
}
