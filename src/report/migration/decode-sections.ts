import { findingWords } from '../../migration/decide.ts';
import type { UseFinding } from '../../migration/decide.ts';
import type { StoredMigrationRecord } from '../../migration/record.ts';
import { digits, percent, size, time } from '../../text/figures.ts';
import { clip } from '../../text/layout.ts';
import { oneLine } from '../../text/untrusted.ts';
import { baseToNew } from '../../verdict/wording.ts';
import { byPositionChart } from '../charts/by-position.ts';
import { figureCell, numeric, words } from '../document.ts';
import type { Chart, Section, Standing, Table, TableCell } from '../document.ts';
import { changeCell, nameOf } from './candidate-sections.ts';
import type { CandidateRecord } from './candidate-sections.ts';

/** One token behind the cache: the original by cached tokens, each candidate, and the last comparison. */
export function decodeSection(
  { baseline, settings, final }: StoredMigrationRecord,
  candidates: readonly CandidateRecord[],
): Section | undefined {
  const { decode } = baseline;
  if (decode === null || decode === undefined) return undefined;
  const original: Table = {
    kind: 'table',
    title: 'Decoding by cached tokens',
    columns: numeric('cached tokens', 'time per token', 'from', 'to', 'peak memory', 'cache', 'time to first token'),
    rows: decode.lengths.map(({ length, medianNs, lowNs, highNs, peakHostBytes, cacheBytes }, at) => [
      figureCell(length, String),
      ...[medianNs, lowNs, highNs].map((value) => figureCell(value, time)),
      ...[peakHostBytes, cacheBytes].map((value) => figureCell(value, size)),
      figureCell(baseline.lengths[at]?.medianNs, time),
    ]),
  };
  const lead = `One new token per call, with a cache that the original filled from your data. The cache grows by ${size(decode.cacheBytesPerToken)} per token. The time to the first token is the latency of the prefill. Prefill and decode are compared separately, and the verdict rests on both.`;
  const parts = [original, candidatesTable(candidates, settings.compareAt), ...(final?.decode ? [finalTable(final.decode)] : [])];
  return { id: 'decode', title: 'Decoding through the cache', lead, parts: parts.filter((part) => part.rows.length > 0) };
}

const standings: Readonly<Record<UseFinding, Standing>> = { better: 'good', worse: 'bad', mixed: 'unsure', 'no-gain': 'plain' };

function candidatesTable(candidates: readonly CandidateRecord[], length: number): Table {
  const finding = (found: UseFinding | undefined): TableCell =>
    found === undefined ? { text: 'not compared' } : { text: findingWords[found], standing: standings[found] };
  return {
    kind: 'table',
    title: `Candidates with ${length} cached tokens`,
    columns: [
      { title: 'candidate' },
      { title: 'prefill' },
      { title: 'decode' },
      ...numeric('time per token', 'peak memory'),
      { title: 'quality of decoding' },
    ],
    rows: candidates.flatMap(({ name, decode, decision: { uses } }) =>
      decode
        ? [
            [
              ...words(nameOf(name)),
              finding(uses?.prefill),
              finding(uses?.decode),
              changeCell(decode.latency),
              changeCell(decode.memory),
              { text: clip(oneLine(decode.quality.judgement?.reason ?? 'the task decides'), 800) },
            ],
          ]
        : [],
    ),
  };
}

function finalTable({ latency, memory }: NonNullable<NonNullable<StoredMigrationRecord['final']>['decode']>): Table {
  return {
    kind: 'table',
    title: 'Final comparison of decoding',
    columns: numeric('cached tokens', 'time per token', 'change', 'peak memory', 'change of memory'),
    rows: latency.map(({ length, comparison }, at) => {
      const peak = memory[at]?.comparison ?? null;
      return [
        figureCell(length, String),
        { text: baseToNew(comparison) || 'no figure' },
        changeCell(comparison),
        { text: (peak && baseToNew(peak)) || 'no figure' },
        changeCell(peak),
      ];
    }),
  };
}

/** What each candidate generated beside the original. */
export function generationSection(candidates: readonly CandidateRecord[]): Section | undefined {
  const found = candidates.flatMap(({ name, generation }) =>
    generation?.summary ? [{ name: nameOf(name), summary: generation.summary }] : [],
  );
  const [first] = found;
  if (first === undefined) return undefined;
  const table: Table = {
    kind: 'table',
    title: 'Generated tokens',
    columns: [
      { title: 'candidate' },
      ...numeric('same tokens', 'from', 'to', 'items that diverge', 'first divergence', 'same choice, forced', 'mean KL, nats'),
      { title: 'KL by position' },
      ...numeric('bits per token, original', 'new', 'bits per byte, original', 'new '),
    ],
    rows: found.map(({ name, summary }) => {
      const positions = summary.firstDivergences.flatMap(({ position }) => position ?? []);
      const { agreement, forcedAgreement, divergence, divergenceByPosition, bitsPerToken, bitsPerByte } = summary;
      return [
        ...words(name),
        ...[agreement.mean, agreement.low, agreement.high].map((value) => figureCell(value, percent)),
        { text: `${positions.length} of ${summary.items}`, value: positions.length },
        positions.length === 0 ? { text: 'none' } : figureCell(Math.min(...positions) + 1, String),
        figureCell(forcedAgreement.mean, percent),
        figureCell(divergence.mean, digits),
        { text: '', line: divergenceByPosition },
        ...[bitsPerToken.base, bitsPerToken.new, bitsPerByte?.base, bitsPerByte?.new].map((value) => figureCell(value, digits)),
      ];
    }),
  };
  const { items, tokens } = first.summary;
  const lead = `${tokens} tokens after the prompt of each of ${items} items, through the cache. “Same tokens” and the first divergence refer to greedy decoding, in which each model continues from its own tokens. KL(original ‖ new), bits and the forced choice are measured after the items’ own tokens, fed one at a time.`;
  return { id: 'generation', title: 'Generation', lead, parts: [divergenceChart(found, table)] };
}

type Named = { readonly name: string; readonly summary: NonNullable<NonNullable<CandidateRecord['generation']>['summary']> };

function divergenceChart(found: readonly Named[], table: Table): Chart {
  return {
    kind: 'chart',
    id: 'generation-divergence',
    title: 'KL by position',
    summary: `${found.map(({ name, summary }) => `${name}: mean KL ${digits(summary.divergence.mean)} nats, ${percent(summary.agreement.mean)} of tokens the same`).join('; ')}.`,
    spec: byPositionChart({
      title: 'KL(original ‖ new) after the items’ own tokens',
      axis: 'KL, nats',
      series: found.map(({ name }) => ({ name, variant: /[a-z-]+/.exec(name.replace(/^\d+=/, ''))?.[0] ?? name })),
      points: found.flatMap(({ name, summary }) =>
        summary.divergenceByPosition.map((value, at) => ({ series: name, position: at + 1, value })),
      ),
    }),
    table,
  };
}
