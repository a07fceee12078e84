import { itemMean } from './item-mean.ts';
import type { ItemMean } from './item-mean.ts';
import { figureText } from './judgement.ts';
import type { QualityJudgement } from './judgement.ts';
import { estimatePaired, judgePaired } from './paired.ts';
import type { PairedEstimate } from './paired.ts';

/** What two decoders gave behind one prompt, position by position. */
export interface GeneratedItem {
  readonly item: string;
  /** The tokens that each chose greedily, behind its own. */
  readonly greedy: Sides<readonly number[]>;
  /** KL(original ‖ changed) behind the item's own tokens, nats. */
  readonly divergences: readonly number[];
  /** Share of positions at which both would choose the same behind the item's own tokens. */
  readonly agreement: number;
  /** −log₂ of the probability of the item's own token, summed over its positions. */
  readonly bits: Sides<number>;
  /** UTF-8 bytes of the item's own tokens; null where the data do not say. */
  readonly bytes: number | null;
}

export interface Sides<Figure> {
  readonly base: Figure;
  readonly new: Figure;
}

/** Over items; each counts once. */
export interface GenerationSummary {
  readonly items: number;
  /** Tokens generated of each item. */
  readonly tokens: number;
  /** Share of greedy tokens that are the same at the same position. */
  readonly agreement: ItemMean;
  /** By item, the position of the first greedy token that is another, from 0; null where there is none. */
  readonly firstDivergences: ReadonlyArray<{ readonly item: string; readonly position: number | null }>;
  /** Share of positions with the same choice behind the item's own tokens. */
  readonly forcedAgreement: ItemMean;
  /** KL(original ‖ changed) behind the item's own tokens, nats. */
  readonly divergence: ItemMean;
  /** The same at each position, mean over items. */
  readonly divergenceByPosition: readonly number[];
  /** Of the item's own tokens; the difference is new − base, lower is better. */
  readonly bitsPerToken: PairedEstimate;
  /** Null where the data do not give the bytes of tokens. */
  readonly bitsPerByte: Sides<number> | null;
}

/** Means over items with two-sided 95 % intervals. @throws RangeError on no items */
export function summariseGeneration(found: readonly GeneratedItem[], seed: number): GenerationSummary {
  const tokens = found[0]!.divergences.length;
  const mean = (of: (item: GeneratedItem) => number, high: number) =>
    itemMean(found.map(of), { range: { low: 0, high }, tail: 0.025, seed });
  const perToken = (side: keyof Sides<number>) => found.map(({ bits }) => bits[side] / tokens);
  const total = (of: (item: GeneratedItem) => number) => found.reduce((sum, item) => sum + of(item), 0);
  const bytes = found.every((item) => item.bytes !== null && item.bytes > 0) ? total((item) => item.bytes!) : null;
  return {
    items: found.length,
    tokens,
    agreement: mean(({ greedy }) => greedy.base.filter((id, at) => id === greedy.new[at]).length / tokens, 1),
    firstDivergences: found.map(({ item, greedy }) => {
      const position = greedy.base.findIndex((id, at) => id !== greedy.new[at]);
      return { item, position: position < 0 ? null : position };
    }),
    forcedAgreement: mean(({ agreement }) => agreement, 1),
    divergence: mean(({ divergences }) => divergences.reduce((sum, value) => sum + value, 0) / tokens, Infinity),
    divergenceByPosition: Array.from({ length: tokens }, (_, at) => total(({ divergences }) => divergences[at]!) / found.length),
    bitsPerToken: estimatePaired({ base: perToken('base'), new: perToken('new') }, { seed }),
    bitsPerByte: bytes === null ? null : { base: total(({ bits }) => bits.base) / bytes, new: total(({ bits }) => bits.new) / bytes },
  };
}

/**
 * Whether what is generated is as good as the original's, by the bits that its own tokens cost: more of them by a share of `margin` is lost. Where
 * only the order of sums changed (`exact`), the mean as measured decides.
 */
export function judgeGeneration(
  { bitsPerToken, items }: GenerationSummary,
  { margin, exact }: { margin: number; exact: boolean },
): QualityJudgement {
  const { base, difference, oneSided, twoSided, tied } = bitsPerToken;
  const allowed = margin * base;
  const said = `${figureText(bitsPerToken.new)} bits per token, ${figureText(base)} in the original`;
  if (exact || tied === items) {
    const lost = difference / allowed;
    return { outcome: lost <= 1 ? 'pass' : 'regression', reason: said, marginsLost: lost };
  }
  const flipped = (interval: typeof oneSided) => ({ low: -interval.high, high: -interval.low });
  const gain = { ...bitsPerToken, difference: -difference, oneSided: flipped(oneSided), twoSided: flipped(twoSided) };
  const { marginsAtMost: _, ...judged } = judgePaired(gain, allowed);
  return { ...judged, reason: `${said} (gain in bits: ${judged.reason})` };
}
