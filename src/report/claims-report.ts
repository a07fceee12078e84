import { claimVerdicts } from '../contract/claims.ts';
import type { ClaimsRecord, JudgedClaim } from '../contract/claims.ts';
import { clip, sentenceCase } from '../text/layout.ts';
import { oneLine } from '../text/untrusted.ts';
import { hostLine } from '../verdict/host-line.ts';
import { shellCommand } from '../verdict/markdown-text.ts';
import { intervalChart } from './charts/intervals.ts';
import { boundText, claimFigureText, claimStandings, claimVerdictWords, decidingDefinition, standingWords } from './claims/wording.ts';
import { methodsSection, reproduceSection } from './closing-sections.ts';
import { numeric, reportSchemaName, words } from './document.ts';
import type { Chart, Report, Section, Standing, Table } from './document.ts';
import { hostSection, noiseAlerts } from './host-section.ts';
import { plainTile } from './tiles.ts';

/** The report of an article's claims. */
export function claimsReport(record: ClaimsRecord): Report {
  const { claims, sources, host, command, warnings, notes = [], startedAt, endedAt, tool } = record;
  const measured = claims.filter(({ verdict }) => verdict !== 'not-measured');
  const missing = claims.filter(({ verdict }) => verdict === 'not-measured');
  const sections: Array<Section | undefined> = [
    {
      id: 'claims',
      title: 'Claims',
      lead: 'The interval of the figure that decides must lie wholly on one side of the bound.',
      parts: [
        ...chartOf(measured),
        claimsTable(claims),
        ...(notes.length === 0 ? [] : [{ kind: 'notes' as const, lines: notes.map((text) => clip(oneLine(text), 600)) }]),
      ],
    },
    measured.length === 0 ? undefined : definitionsSection(measured),
    missing.length === 0 ? undefined : missingSection(missing),
    sourcesSection(record),
    hostSection(host, warnings),
    methodsSection(['claims', 'waste', 'effect', 'ratio', 'memory']),
    reproduceSection([command]),
  ];
  const told = verdictCounts(claims);
  return {
    schema: reportSchemaName,
    kind: 'claims',
    title: `Claims: ${clip(oneLine(sources.map(({ subject }) => subject.split('/').at(-1)).join(', ')) || 'nothing measured', 200)}`,
    verdict: sentenceCase(told.map(({ text }) => text).join(', ')),
    standing: 'plain',
    tiles: told.map(({ name, ids, standing }) => ({
      ...plainTile(sentenceCase(name), clip(ids.join(', '), 120), String(ids.length)),
      standing,
    })),
    answer: `${measured.length} of ${claims.length} claims were measured here, each by every definition that the records allow.`,
    alerts: noiseAlerts(warnings),
    facts: [
      { term: 'judged', text: `${startedAt} to ${endedAt}` },
      { term: 'host', text: hostLine(host) },
      { term: 'tool', text: `attnswap ${clip(oneLine(tool.version), 50)}` },
    ],
    sections: sections.filter((section) => section !== undefined),
  };
}

/** How many claims have each verdict, and which; what none has is left out. */
function verdictCounts(claims: readonly JudgedClaim[]): ReadonlyArray<{ name: string; text: string; ids: string[]; standing: Standing }> {
  return claimVerdicts.flatMap((verdict) => {
    const own = claims.filter((claim) => claim.verdict === verdict);
    const name = claimVerdictWords[verdict];
    if (own.length === 0) return [];
    return {
      name,
      text: `${own.length} ${own.length === 1 ? name : name.replace(/^holds/, 'hold').replace(/^does/, 'do')}`,
      ids: own.map(({ id }) => oneLine(id)),
      standing: claimStandings[verdict],
    };
  });
}

/** What was measured as a share of what the claim takes: from 1 on it is met. */
function chartOf(claims: readonly JudgedClaim[]): Chart[] {
  const rows = claims.flatMap((claim) => {
    const figure = decidingDefinition(claim)?.figures[0];
    const { side, value: bound } = claim.bound;
    if (figure === undefined) return [];
    const ends = [figure.low ?? figure.value, figure.high ?? figure.value];
    // Of what may be at most so much, nothing or less has no share.
    if (side === 'most' && !(ends[0]! > 0)) return [];
    const met = (value: number) => (side === 'least' ? value / bound : bound / value);
    const [low, high] = ends.map(met).toSorted((a, b) => a - b) as [number, number];
    const label = `${claim.id}: ${claimFigureText(figure, claim.unit)}, ${boundText(claim)}: ${claimVerdictWords[claim.verdict]}`;
    return [
      { name: oneLine(claim.id), value: met(figure.value), low, high, standing: claimStandings[claim.verdict], label: oneLine(label) },
    ];
  });
  if (rows.length === 0) return [];
  // Factors of ten and hundredths beside one another; what is below nothing has no logarithm.
  const logarithmic = rows.every(({ low }) => low > 0);
  return [
    {
      kind: 'chart',
      id: 'reached',
      title: 'How far each claim is met',
      summary: `${rows.map(({ label }) => label).join('; ')}.`,
      spec: intervalChart({
        title: 'measured / claimed; from 1 on the claim is met',
        axis: 'share of the claim',
        rows,
        neutral: 1,
        logarithmic,
        format: '.2~f',
      }),
      table: claimsTable(claims),
    },
  ];
}

function claimsTable(claims: readonly JudgedClaim[]): Table {
  return {
    kind: 'table',
    title: 'Verdicts',
    columns: [
      { title: 'claim' },
      { title: 'verdict' },
      ...numeric('measured here', 'required'),
      { title: 'definition' },
      { title: 'of' },
      { title: 'the article' },
    ],
    rows: claims.map((claim) => {
      const deciding = decidingDefinition(claim);
      const figure = deciding?.figures[0];
      return [
        ...words(oneLine(claim.id)),
        { text: claimVerdictWords[claim.verdict], standing: claimStandings[claim.verdict] },
        figure === undefined ? { text: '–' } : { text: claimFigureText(figure, claim.unit), value: figure.value },
        { text: boundText(claim), value: claim.bound.value },
        ...words(
          clip(oneLine(deciding?.name ?? '–'), 200),
          clip(oneLine(figure?.of ?? claim.reason), 400),
          clip(oneLine(claim.words), 300),
        ),
      ];
    }),
  };
}

/** Every definition of every claim that was measured, with all of its figures. */
function definitionsSection(claims: readonly JudgedClaim[]): Section {
  return {
    id: 'definitions',
    title: 'By every definition',
    lead: 'The first figure of a definition decides; the others are shown beside it.',
    parts: claims.map((claim) => figuresTable(claim)),
  };
}

function figuresTable({ id, unit, definitions }: JudgedClaim): Table {
  const [definition, standing, of, note, formula] = ['definition', 'standing', 'of', 'note', 'formula'].map((title) => ({ title }));
  return {
    kind: 'table',
    title: oneLine(id),
    columns: [definition!, ...numeric('measured'), standing!, of!, note!, formula!],
    rows: definitions.flatMap(({ name, formula: own, figures }) => {
      const [called, meant] = words(clip(oneLine(name), 200), clip(oneLine(own), 400));
      if (figures.length === 0) return [[called!, { text: '–' }, ...words('not measured', '', ''), meant!]];
      return figures.map((figure, at) => [
        called!,
        { text: claimFigureText(figure, unit), value: figure.value },
        { text: standingWords[figure.standing], standing: claimStandings[figure.standing] },
        ...words(clip(oneLine(figure.of), 400), clip(oneLine(figure.note), 400)),
        at === 0 ? meant! : { text: '' },
      ]);
    }),
  };
}

function missingSection(claims: readonly JudgedClaim[]): Section {
  return {
    id: 'missing',
    title: 'Not measured',
    parts: [
      { kind: 'terms', terms: claims.map(({ id, reason }) => ({ term: oneLine(id), text: clip(oneLine(reason), 600) })) },
      { kind: 'commands', lines: claims.map(({ command }) => clip(shellCommand(['npx', 'attnswap', ...command]), 2000)) },
    ],
  };
}

function sourcesSection({ sources }: ClaimsRecord): Section {
  return {
    id: 'sources',
    title: 'Records',
    parts: [
      {
        kind: 'table',
        title: 'Sources of the figures',
        columns: [{ title: 'record' }, { title: 'of' }, { title: 'path' }, { title: 'command' }],
        rows: sources.map(({ kind, subject, path, command }) =>
          words(kind, clip(oneLine(subject), 300), clip(oneLine(path), 300), clip(shellCommand(['npx', 'attnswap', ...command]), 600)),
        ),
      },
    ],
  };
}
