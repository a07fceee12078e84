import type { Comparison } from '../contract/verdict.ts';
import type { DecodeBaseline } from '../migration/baseline-phase.ts';
import type { CandidateResult } from '../migration/candidate.ts';
import { findingWords } from '../migration/decide.ts';
import type { MigrationDecision } from '../migration/decide.ts';
import type { FinalResult } from '../migration/final-phase.ts';
import type { GenerationSummary } from '../quality/generation.ts';
import { driftSize } from '../migration/quality-of.ts';
import { digits, percent, size, time } from '../text/figures.ts';
import { table } from '../text/layout.ts';
import { baseToNew } from '../verdict/wording.ts';

/** How the original decodes. */
export function decodeBaselineText({ lengths, cacheBytesPerToken }: DecodeBaseline): string {
  const header = ['cached tokens', 'time per token', '95 % interval', 'peak memory', 'cache'];
  const rows = lengths.map(({ length, medianNs, lowNs, highNs, peakHostBytes, cacheBytes }) => [
    `${length}`,
    time(medianNs),
    `${time(lowNs)} … ${time(highNs)}`,
    size(peakHostBytes),
    size(cacheBytes),
  ]);
  const told = `the cache grows by ${size(cacheBytesPerToken)} per token; the latency of the prefill is the time to the first token`;
  return ['', 'Decoding: one token per call, with a full cache', table([header, ...rows]), told].join('\n');
}

interface Written {
  readonly length: number;
  name(text: string): string;
  change(comparison: Comparison | null): string;
}

/** Both uses of each candidate side by side; '' where the model has one. */
export function decodeCandidatesText(results: readonly CandidateResult[], { length, name, change }: Written): string {
  const decoded = results.filter(({ decode }) => decode);
  if (decoded.length === 0) return '';
  const header = ['candidate', `time per token, ${length} cached`, 'peak memory', 'drift', 'prefill', 'decode'];
  const rows = decoded.map(({ name: candidate, decode, decision: { uses } }) => {
    const { drift } = decode!.quality;
    const found = drift.state === 'fault' ? 'fault' : digits(Math.max(...drift.outputs.map(driftSize)));
    const findings = uses === undefined ? ['–', '–'] : [findingWords[uses.prefill], findingWords[uses.decode]];
    return [name(candidate), change(decode!.latency), change(decode!.memory), found, ...findings];
  });
  return ['', 'Decoding: the same candidates, one token per call, with the original’s cache', table([header, ...rows])].join('\n');
}

/** What candidates generated beside the original; '' where nothing was generated. */
export function generationText(results: readonly CandidateResult[], name: (text: string) => string): string {
  const found = results.flatMap(({ name: candidate, generation }) =>
    generation?.summary ? [{ candidate, summary: generation.summary }] : [],
  );
  const [first] = found;
  if (first === undefined) return '';
  const header = ['candidate', 'same tokens', 'first divergence', 'mean KL', 'bits per token', 'bits per byte'];
  const rows = found.map(({ candidate, summary }) => [
    name(candidate),
    percent(summary.agreement.mean),
    divergenceText(summary),
    digits(summary.divergence.mean),
    sides(summary.bitsPerToken),
    summary.bitsPerByte === null ? '–' : sides(summary.bitsPerByte),
  ]);
  const { items, tokens } = first.summary;
  return [
    '',
    `Generation: ${tokens} token${tokens === 1 ? '' : 's'} after the prompt of each of ${items} item${items === 1 ? '' : 's'}, through the cache`,
    table([header, ...rows]),
    'same tokens, first divergence: greedy decoding; KL (nats) and bits: after the items’ own tokens',
  ].join('\n');
}

/** `none`, or `token 3; 2 of 8 items`. */
function divergenceText({ firstDivergences }: Pick<GenerationSummary, 'firstDivergences'>): string {
  const positions = firstDivergences.flatMap(({ position }) => position ?? []);
  if (positions.length === 0) return 'none';
  return `token ${Math.min(...positions) + 1}; ${positions.length} of ${firstDivergences.length} items`;
}

function sides({ base, new: fresh }: { readonly base: number; readonly new: number }): string {
  return `${digits(base)} → ${digits(fresh)}`;
}

/** The last comparison of decoding. */
export function decodeFinalText({ latency, memory }: NonNullable<FinalResult['decode']>, change: Written['change']): string {
  const rows = latency.map(({ length, comparison }, at) => {
    const peak = memory[at]!.comparison;
    return [`${length}`, baseToNew(comparison) || '–', change(comparison), baseToNew(peak) || '–', change(peak)];
  });
  return table([['cached tokens', 'time per token', 'change', 'peak memory', 'change'], ...rows]);
}

/** A verdict with what was found of each use: `… (prefill: no gain shown; decode: better)`. */
export function withUses(said: string, uses: MigrationDecision['uses']): string {
  if (uses === undefined) return said;
  const found = `prefill: ${findingWords[uses.prefill]}; decode: ${findingWords[uses.decode]})`;
  return said.endsWith(')') ? `${said.slice(0, -1)}; ${found}` : `${said} (${found}`;
}
