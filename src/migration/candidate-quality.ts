import { combined } from '../quality/judgement.ts';
import type { QualityJudgement } from '../quality/judgement.ts';
import type { PairedEstimate } from '../quality/paired.ts';
import type { Interval } from '../statistics/resample.ts';
import type { MeasuredBaseline } from './baseline-phase.ts';
import { tunableMargins } from './decide.ts';
import { decodeQualityOf } from './decoding.ts';
import type { DecodeQuality } from './decoding.ts';
import { exactnessOf } from './exactness.ts';
import { generationOf } from './generation.ts';
import type { Generation } from './generation.ts';
import { itemsOf } from './items.ts';
import type { Migration } from './migration.ts';
import { qualityOf } from './quality-of.ts';
import type { CandidateQuality } from './quality-of.ts';
import type { ModelCandidate } from './subject.ts';

/** A candidate's quality in all that its model is used for. */
export interface CandidateQualities {
  readonly quality: CandidateQuality;
  /** One token behind the cache; null where the model is not decoded through one. */
  readonly decode: DecodeQuality | null;
  /** What it generates; null where nothing was asked for, or worth it. */
  readonly generation: Generation | null;
}

/** Judges a candidate in one call, behind the cache, and token by token; nothing more of one that is hopeless. Each is kept as a step. */
export async function qualitiesOf(
  migration: Migration,
  candidate: ModelCandidate,
  baseline: MeasuredBaseline,
): Promise<CandidateQualities> {
  const { state, cache, settings } = migration;
  const open = () => migration.subject.open(candidate);
  const items = await itemsOf(migration, 'judging');
  const exactness = exactnessOf(migration.sites, candidate);
  const step = <Result>(name: string, what: string, compute: () => Promise<Result>) =>
    state.step(`candidate/${candidate.name}/${name}`, () => {
      migration.progress(`candidate/${candidate.name}/${name}`, `${candidate.name}: ${what}`);
      return compute();
    });
  const { scores } = baseline;
  const found = withInfinity(await step('quality', 'quality', () => qualityOf(migration, open, { items, base: scores, exactness })));
  const quality = { ...found, task: found.task && withBounds(found.task) };
  if (cache === null || isHopeless(quality.judgement)) return { quality, decode: null, generation: null };
  const request = { items, exactness, hasTask: scores !== null };
  const decode = withInfinity(await step('decode', 'quality of decoding', () => decodeQualityOf(migration, open, request)));
  if (settings.generate === undefined || (decode.judgement && isHopeless(decode.judgement))) return { quality, decode, generation: null };
  const what = `generating ${settings.generate} tokens for each item`;
  const generation = withInfinity(await step('generation', what, () => generationOf(migration, open, request)));
  return { quality, decode, generation };
}

interface Judged {
  readonly quality: Pick<CandidateQuality, 'judgement'> | null;
  readonly decode?: { readonly quality: Pick<DecodeQuality, 'judgement'> } | null | undefined;
  readonly generation?: Pick<Generation, 'judgement'> | null | undefined;
}

/** All that was judged of a candidate's quality, as one. */
export function judgementOf({ quality, decode, generation }: Judged): QualityJudgement {
  return combined({ prefill: quality?.judgement, decoding: decode?.quality.judgement, generation: generation?.judgement });
}

/**
 * Quality lost, in margins, in the parts that were judged `before` as well. A part that is not judged again is left out, too: then another
 * loses more than {@link tunableMargins}.
 */
export function lostOf({ quality, decode, generation }: Judged, before: Judged): number {
  const { marginsLost } = judgementOf({
    quality,
    decode: before.decode ? decode : null,
    generation: before.generation ? generation : null,
  });
  return Math.max(0, marginsLost);
}

/** Whether so much is lost that tuning is not expected to recover it. */
export function isHopeless({ outcome, marginsLost }: QualityJudgement): boolean {
  return outcome === 'regression' && !(marginsLost <= tunableMargins);
}

/** Of scores whose range is not known, an end may be infinite. */
function withBounds(task: PairedEstimate): PairedEstimate {
  const bounds = ({ low, high }: Interval) => ({ low: (low as number | null) ?? -Infinity, high: (high as number | null) ?? Infinity });
  return { ...task, oneSided: bounds(task.oneSided), twoSided: bounds(task.twoSided) };
}

/** JSON has no Infinity. */
function withInfinity<Part extends { readonly judgement: QualityJudgement | null }>(part: Part): Part {
  const { judgement } = part;
  return judgement === null
    ? part
    : { ...part, judgement: { ...judgement, marginsLost: (judgement.marginsLost as number | null) ?? Infinity } };
}
