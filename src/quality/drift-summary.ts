import { AttnswapError } from '../contract/errors.ts';
import { meanOf } from '../statistics/mean.ts';
import { quantileSorted } from '../statistics/order-statistics.ts';
import type { OutputKind } from './distributions.ts';
import type { ItemDrift, OutputDrift } from './drift.ts';
import { itemMean } from './item-mean.ts';
import type { ItemMean, ItemMeanOptions, Watched } from './item-mean.ts';

/** The drift of one output over all items; means are of items' figures, each item counting once. */
export interface OutputDriftSummary {
  readonly output: string;
  readonly kind: OutputKind;
  readonly vectors: number;
  /** Whether every element of every item is the same number. */
  readonly identical: boolean;
  /** ‖changed − original‖ / ‖original‖; null for labels. */
  readonly relativeError: ItemMean | null;
  /** Largest relative error of an item; null for labels. */
  readonly largestRelativeError: number | null;
  /** The item farthest from the original: by relative error; of labels, by agreement. */
  readonly farthestItem: string;
  /** Mean over items of the mean 1 − cosine of an item's vectors; null for labels. */
  readonly cosineDistance: ItemMean | null;
  /** 5th percentile of the cosines of all items' vectors pooled; null for labels. */
  readonly cosineFifthPercentile: number | null;
  /** KL(original ‖ changed), nats; null but for logits and probabilities. */
  readonly divergence: ItemMean | null;
  /** Share whose most probable class is the same; null for plain vectors. */
  readonly agreement: ItemMean | null;
}

/** Over items; a single fault is the outcome of the whole, with every item's reason. */
export type DriftSummary = Counted &
  (
    | { readonly state: 'measured'; readonly confidence: number; readonly outputs: readonly OutputDriftSummary[] }
    | { readonly state: 'fault'; readonly reasons: readonly string[] }
  );

interface Counted {
  readonly items: number;
  /** Where they were watched one by one: of how many. Fewer than that were enough. */
  readonly of?: number;
}

const usualConfidence = 0.95;
/** One-sided error of the interval that drift is judged by. */
export const driftTail = (1 - usualConfidence) / 2;

/**
 * Means over items with two-sided intervals; how these come about is told by `itemMean`. An item that recurs counts as often.
 * @param options.confidence two-sided, .95 unless given
 * @param options.of where items were watched one by one, how many there are
 * @throws INVALID_DATA on no items, or items whose outputs differ in name or kind
 */
export function summariseDrift(
  items: readonly ItemDrift[],
  { seed, confidence = usualConfidence, of }: { readonly seed: number; readonly confidence?: number; readonly of?: number | undefined },
): DriftSummary {
  const counted = { items: items.length, ...(of !== undefined && { of }) };
  const reasons = items.flatMap((drift) => (drift.state === 'fault' ? [`${drift.item}: ${drift.reason}`] : []));
  if (reasons.length > 0) return { state: 'fault', ...counted, reasons };
  const measured = items.flatMap((drift) => (drift.state === 'measured' ? [drift] : []));
  const first = measured[0];
  if (first === undefined) throw new AttnswapError('INVALID_DATA', 'drift: no items, expected at least one');
  const watched: Watched | undefined = of === undefined ? undefined : items.length < of ? 'stopped' : 'ended';
  const outputs = first.outputs.map(({ output }, index) => {
    const drifts = measured.map((drift) => sameOutput(drift, first, index));
    const farthestItem = measured[farthest(drifts)]!.item;
    return { ...summariseOutput(output, drifts, { seed, watched, tail: (1 - confidence) / 2 }), farthestItem };
  });
  return { state: 'measured', ...counted, confidence, outputs };
}

type MeasuredDrift = Extract<ItemDrift, { state: 'measured' }>;

function sameOutput(drift: MeasuredDrift, first: MeasuredDrift, index: number): OutputDrift {
  const [found, expected] = [drift.outputs[index], first.outputs[index]!];
  if (found?.output === expected.output && found.kind === expected.kind && drift.outputs.length === first.outputs.length) return found;
  const told = (output: OutputDrift | undefined) => (output === undefined ? 'none' : `${output.output} (${output.kind})`);
  throw new AttnswapError(
    'INVALID_DATA',
    `drift of item ${drift.item}: output ${index} is ${told(found)}, expected ${told(expected)} as in item ${first.item}`,
    { hint: 'specify what the outputs are: logits, probabilities, vectors or labels' },
  );
}

/** Where in a list the drift is largest. */
function farthest(drifts: readonly OutputDrift[]): number {
  const distances = drifts.map(({ relativeError, agreement }) => relativeError ?? 1 - (agreement ?? 0));
  return distances.indexOf(Math.max(...distances));
}

type Interval = Omit<ItemMeanOptions, 'range'>;

function summariseOutput(output: string, drifts: readonly OutputDrift[], interval: Interval): Omit<OutputDriftSummary, 'farthestItem'> {
  const mean = (figures: readonly (number | null)[], high: number): ItemMean | null => {
    const known = figures.filter((figure) => figure !== null);
    return known.length < figures.length ? null : itemMean(known, { ...interval, range: { low: 0, high } });
  };
  const labels = drifts[0]!.kind === 'labels';
  const errors = drifts.map(({ relativeError }) => relativeError);
  const distances = drifts.map(({ cosineDistances }) => (labels ? null : meanOf(cosineDistances)));
  return {
    output,
    kind: drifts[0]!.kind,
    vectors: drifts.reduce((sum, { cosineDistances }) => sum + cosineDistances.length, 0),
    identical: drifts.every(({ identical }) => identical),
    relativeError: mean(errors, Infinity),
    largestRelativeError: labels ? null : Math.max(...errors.map((error) => error ?? 0)),
    // The rounding of ½‖â − b̂‖² may pass 2 by a few units in the last place.
    cosineDistance: mean(
      distances.map((distance) => distance && Math.min(2, distance)),
      2,
    ),
    cosineFifthPercentile: labels ? null : pooledFifthPercentile(drifts),
    divergence: mean(
      drifts.map(({ divergence }) => divergence),
      Infinity,
    ),
    agreement: mean(
      drifts.map(({ agreement }) => agreement),
      1,
    ),
  };
}

function pooledFifthPercentile(drifts: readonly OutputDrift[]): number {
  const pooled = new Float64Array(drifts.reduce((sum, { cosineDistances }) => sum + cosineDistances.length, 0));
  let at = 0;
  for (const { cosineDistances } of drifts) {
    pooled.set(cosineDistances, at);
    at += cosineDistances.length;
  }
  return 1 - quantileSorted(Array.from(pooled.sort()), 0.95);
}
