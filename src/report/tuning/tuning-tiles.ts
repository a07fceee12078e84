import type { Tile } from '../document.ts';
import { comparisonTile, emptyTile, scoreTile } from '../tiles.ts';
import { meanTest } from './tuning-view.ts';
import type { NamedCandidate, TuningView } from './tuning-view.ts';

/** The candidate closest to adoption: by verdict, then by whether quality holds, then by score. */
export function bestCandidate({ candidates }: TuningView): NamedCandidate | undefined {
  const score = ({ found }: NamedCandidate) => found.difference.mean ?? -Infinity;
  return candidates.toSorted((a, b) => distance(a) - distance(b) || score(b) - score(a))[0];
}

function distance({ found: { decision, quality } }: NamedCandidate): number {
  const [verdicts, outcomes] = [
    ['adopt', 'tune-first', 'reject'],
    ['pass', 'inconclusive', 'regression'],
  ];
  return 3 * verdicts.indexOf(decision.verdict) + outcomes.indexOf(quality.outcome);
}

/** Latency, peak memory and score of the candidate closest to adoption, beside the baseline's. */
export function tuningTiles(view: TuningView): Tile[] {
  const best = bestCandidate(view);
  if (best === undefined) return [];
  const { record, measure, baseline, candidates } = view;
  const { name, found } = best;
  const of = candidates.length === 1 ? `${name} against ${baseline}` : `${name} against ${baseline}, the closest of ${candidates.length}`;
  const base = meanTest(record.baseline);
  const quality =
    base === null
      ? emptyTile('Quality', 'no score')
      : scoreTile({
          of: `test ${measure.name}, mean of ${record.baseline.length} seeds`,
          base,
          new: meanTest(found.finalists),
          difference: found.difference.mean,
          low: found.difference.low,
          high: found.difference.high,
          margin: record.settings.qualityMargin * Math.abs(base),
          outcome: found.quality.outcome,
          judgedBy: 'first seed, item by item',
          text: measure.text,
          differenceText: measure.differenceText,
        });
  return [comparisonTile('Latency', of, found.latency), comparisonTile('Peak memory', of, found.memory), quality];
}
