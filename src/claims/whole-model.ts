import type { Comparison } from '../contract/verdict.ts';
import type { StoredMigrationRecord } from '../migration/record.ts';
import type { StoredTuningRecord } from '../tuning/record.ts';
import { baseToNew } from '../verdict/wording.ts';
import { exactly, largestFirst } from './evidence.ts';
import type { Figure } from './evidence.ts';

/** Attention by the name of a candidate, which says it once, or site by site: `0=dense.fused 1=window.tiled:w=64`. */
export type Attention = (name: string) => boolean;

export const anyAttention: Attention = () => true;

/** Only attention whose variant passes. */
export function attentionOf(passes: (variant: string) => boolean): Attention {
  return (name) => name.split(' ').every((part) => passes(/^(?:\d+=)?([a-z-]+)/.exec(part)?.[1] ?? ''));
}

/** The same attention computed by another kernel. */
export const exactAttention = attentionOf((variant) => variant === 'dense' || variant === 'original');
export const sparseAttention: Attention = (name) => !exactAttention(name);

type Compared = 'latency' | 'memory';
/** The most of the score that a candidate may lose: 98 % of the quality is kept. */
const mostLoss = 0.02;

/** A model's candidates against the original, those that are shown to keep 98 % of its quality; the longest length first, then the least of the figure. */
function comparedModels(
  record: StoredMigrationRecord,
  what: Compared,
  wanted: Attention,
): Array<{ name: string; length: number; comparison: Comparison }> {
  const { candidates, tuned, final, settings } = record;
  const judged = [...(candidates ?? []), ...(tuned?.result ? [tuned.result] : [])];
  const kept = judged.filter(
    ({ name, quality }) => wanted(name) && quality?.judgement.outcome === 'pass' && settings.qualityMargin <= mostLoss,
  );
  const screened = kept.flatMap(({ name, [what]: comparison }) =>
    comparison === null ? [] : [{ name, length: settings.compareAt, comparison }],
  );
  const finally_ = kept.flatMap(({ name }) => (final?.candidate === name ? final[what].map((each) => ({ name, ...each })) : []));
  // The last comparison has more blocks.
  const latest = new Map([...screened, ...finally_].map((each) => [`${each.length} ${each.name}`, each]));
  return [...latest.values()]
    .filter(({ comparison }) => comparison.effect !== null)
    .toSorted((a, b) => b.length - a.length || a.comparison.effect!.estimate - b.comparison.effect!.estimate);
}

/** New over base of a whole model, in paired blocks: latency, or peak memory; at one length or at each. */
export function modelRatio(what: Compared, wanted: Attention, at?: number) {
  return (record: StoredMigrationRecord): Figure[] =>
    comparedModels(record, what, wanted)
      .filter(({ length }) => at === undefined || length === at)
      .map(({ name, length, comparison }) => ratioOf(comparison, `whole model, ${name} at ${length} tokens`));
}

/** The same of a testbed's exported models, trained with their attention, those that keep 98 % of the score. */
export function testbedRatio(what: Compared, wanted: Attention) {
  return ({ candidates, settings }: StoredTuningRecord): Figure[] =>
    candidates
      .filter(({ candidate, quality, [what]: { effect } }) => wanted(candidate) && keeps(quality, settings) && effect !== null)
      .map(({ candidate, [what]: comparison }) => ratioOf(comparison, `${settings.name}: whole model, ${candidate}`))
      .toSorted((a, b) => a.value - b.value);
}

/** Pairs that a trained attention does without, of those that the baseline weighs; the most first. */
export function pairsSaved(wanted: Attention) {
  return ({ candidates, settings }: StoredTuningRecord): Figure[] =>
    largestFirst(
      candidates
        .filter(({ candidate, quality }) => wanted(candidate) && keeps(quality, settings))
        .map(({ candidate, weightedShare }) => exactly(`${settings.name}: ${candidate}`, 1 - weightedShare)),
    );
}

/** A score that a data module counts as BLEU: new minus base, points; the most first. */
export function bleuGained({ metric, candidates, tuned }: StoredMigrationRecord): Figure[] {
  if (metric === null || !/\bBLEU\b/i.test(metric)) return [];
  return largestFirst(
    [...(candidates ?? []), ...(tuned?.result ? [tuned.result] : [])].flatMap(({ name, quality }) => {
      const task = quality?.task;
      return task ? [{ of: `${name}, ${task.items} items`, value: task.difference, ...task.twoSided }] : [];
    }),
  );
}

function keeps(
  { outcome }: StoredTuningRecord['candidates'][number]['quality'],
  { qualityMargin }: StoredTuningRecord['settings'],
): boolean {
  return outcome === 'pass' && qualityMargin <= mostLoss;
}

function ratioOf(comparison: Comparison, of: string): Figure {
  const { estimate, low, high } = comparison.effect!;
  return { of, value: 1 + estimate, low: 1 + low, high: 1 + high, note: baseToNew(comparison) };
}
