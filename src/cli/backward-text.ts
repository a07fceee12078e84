import type { Comparison } from '../contract/verdict.ts';
import type { CallAtLength } from '../migration/baseline-phase.ts';
import type { CandidateResult } from '../migration/candidate.ts';
import { size, time } from '../text/figures.ts';
import { table } from '../text/layout.ts';

/** A call of the original, forward and backward. */
export function backwardBaselineText(lengths: readonly CallAtLength[]): string {
  const rows = lengths.map(({ length, medianNs, lowNs, highNs, peakHostBytes }) => [
    `${length}`,
    time(medianNs),
    `${time(lowNs)} … ${time(highNs)}`,
    size(peakHostBytes),
  ]);
  const header = ['tokens', 'forward + backward', '95 % interval', 'peak memory'];
  return ['', 'Forward and backward: a call and the gradients of all parameters', table([header, ...rows])].join('\n');
}

interface Written {
  readonly length: number;
  name(text: string): string;
  change(comparison: Comparison | null): string;
}

/** Each candidate's call forward and backward; '' where none was compared. */
export function backwardCandidatesText(results: readonly CandidateResult[], { length, name, change }: Written): string {
  const rows = results.flatMap(({ name: candidate, backward }) =>
    backward ? [[name(candidate), change(backward.latency), change(backward.memory)]] : [],
  );
  if (rows.length === 0) return '';
  const header = ['candidate', `forward + backward at ${length}`, `memory at ${length}`];
  return ['', 'Forward and backward: the same candidates (informational: the verdict does not rest on it)', table([header, ...rows])].join(
    '\n',
  );
}
