import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { AttnswapError } from '../contract/errors.ts';
import type { Comparison } from '../contract/verdict.ts';
import type { LookPlan } from '../decide/sequential.ts';
import type { SwapProof } from '../model/swap/prove.ts';
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
import type { ModelCandidate } from './subject.ts';

/** What a candidate came to. */
export interface CandidateResult extends Pick<CandidateQualities, 'generation'> {
  readonly name: string;
  /** Where its model lies. */
  readonly model: string;
  readonly proof: SwapProof | null;
  readonly quality: CandidateQuality | null;
  /** At the length at which candidates are compared; null where quality was lost beyond tuning, or is not shown to hold where that is asked for: then nothing was timed. */
  readonly latency: Comparison | null;
  readonly memory: Comparison | null;
  /** The same of one token behind a cache; null where the model is not decoded through one. */
  readonly decode: CandidateDecode | null;
  /** The same of a call forward and backward, on which no verdict rests; null where that was not asked for. */
  readonly backward: Pick<CandidateDecode, 'latency' | 'memory'> | null;
  readonly decision: MigrationDecision;
  /** As of a {@link Candidate}. */
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

/** Writes a candidate's model, proves it, judges its quality and, where that is worth it, times it. */
export async function judgeCandidate(
  migration: Migration,
  candidate: ModelCandidate,
  baseline: MeasuredBaseline,
): Promise<CandidateResult> {
  const { name, passedOver } = candidate;
  migration.judged.set(name, candidate);
  const result = await judged(migration, candidate, baseline);
  if (passedOver === undefined) return result;
  const reasons = [...result.decision.reasons, `S${passedOverText(passedOver).slice(1)}.`];
  return { ...result, decision: { ...result.decision, reasons }, passedOver };
}

async function judged(migration: Migration, candidate: ModelCandidate, baseline: MeasuredBaseline): Promise<CandidateResult> {
  const { name } = candidate;
  const { state, settings, subject } = migration;
  const model = join(state.folder, 'models', fileNameOf(name, subject.ending));
  const written = await state.step(`candidate/${name}/model`, () => writeCandidate(migration, candidate, model));
  if ('failure' in written)
    return rejected({ name, model, proof: null, quality: null, decode: null, backward: null, generation: null }, written.failure);
  // A user may have made room since.
  if (!existsSync(model)) await writeCandidate(migration, candidate, model);
  const qualities = await qualitiesOf(migration, candidate, baseline);
  const untimed = { latency: null, memory: null };
  const decoded = qualities.decode && { quality: qualities.decode, ...untimed };
  const judged = { name, model, proof: written.proof, ...qualities, decode: decoded, backward: null };
  const judgement = judgementOf(judged);
  if (isHopeless(judgement) || (settings.keptOnly === true && judgement.outcome !== 'pass'))
    return rejected(judged, `${judgement.reason}; it was not timed`);
  const at = { name, model, length: settings.compareAt };
  const prefill = await comparedAt(migration, { ...at, use: 'prefill' });
  const decode = judged.decode && { ...judged.decode, ...(await comparedAt(migration, { ...at, use: 'decode' })) };
  const backward = settings.backward === true ? await comparedAt(migration, { ...at, use: 'forward+backward' }) : null;
  const found = (metric: 'latency' | 'memory') => [
    { length: at.length, comparison: prefill[metric], ...(decode && { use: 'prefill' as const }) },
    ...(decode ? [{ length: at.length, comparison: decode[metric], use: 'decode' as const }] : []),
  ];
  const evidence = { candidate: name, latency: found('latency'), memory: found('memory'), wantedLengths: [at.length] };
  return { ...judged, ...prefill, decode, backward, decision: decideMigration({ ...evidence, quality: judgement }) };
}

async function comparedAt(
  migration: Migration,
  at: Omit<ArmComparison, 'plan'>,
): Promise<{ readonly latency: Comparison; readonly memory: Comparison }> {
  const latency = await compareModels(migration, 'latency', { ...at, plan: screening });
  return { latency, memory: await compareModels(migration, 'peak-memory', { ...at, plan: modelMemoryLooks }) };
}

/** A candidate's file: its name where a file can have it, shortened and told apart by a digest where there are many sites. */
export function fileNameOf(candidate: string, ending = '.onnx'): string {
  const plain = candidate.replaceAll(/[^\w.=,-]+/g, '_');
  const digest = createHash('sha256').update(candidate).digest('hex').slice(0, 12);
  return `${plain.length <= 100 ? plain : `${plain.slice(0, 80)}-${digest}`}${ending}`;
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
  candidate: ModelCandidate,
  model: string,
): Promise<{ readonly proof: SwapProof } | { readonly failure: string }> {
  await mkdir(join(migration.state.folder, 'models'), { recursive: true });
  try {
    return { proof: await migration.subject.write(candidate, model) };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return { failure: error.message };
  }
}

/** Whether a candidate is to blame for an error, and not the machine or attnswap. */
export function isRefusal(error: unknown): error is AttnswapError {
  return error instanceof AttnswapError && ['UNSUPPORTED', 'INVALID_MODEL', 'INVALID_PARAMETERS', 'INVALID_DATA'].includes(error.code);
}
