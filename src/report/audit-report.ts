import type { AuditFinding, AuditPoint, AuditRecord, AuditRound } from '../contract/audit.ts';
import { median } from '../statistics/order-statistics.ts';
import { clip, sentenceCase } from '../text/layout.ts';
import { percent, size, time } from '../text/figures.ts';
import { oneLine } from '../text/untrusted.ts';
import { hostLine } from '../verdict/host-line.ts';
import { typicalCall } from './audit/typical-call.ts';
import { againstText, expectedText, figureNames, slopeText, standingNames, standings, verdictText } from './audit/wording.ts';
import { scalingChart } from './charts/scaling.ts';
import type { ScalingData, ScalingPoint } from './charts/scaling.ts';
import { methodsSection, reproduceSection } from './closing-sections.ts';
import { figureCell, numeric, reportSchemaName, words } from './document.ts';
import type { Chart, Report, Section, Table, Tile } from './document.ts';
import { hostSection, noiseAlerts } from './host-section.ts';

/** The report of an audit. */
export function auditReport(record: AuditRecord): Report {
  const { verdict, summary, host, command, warnings, startedAt, endedAt, tool, seed, threads, exitCode, setting, overhead } = record;
  const series = [knobSection(record), lengthSection(record)].filter((section) => section !== undefined);
  return {
    schema: reportSchemaName,
    kind: 'audit',
    title: `Audit: ${clip(oneLine(record.name), 300)}`,
    verdict: sentenceCase(verdictText(record)),
    standing: standings[verdict],
    tiles: record.findings.filter(({ decides }) => decides).map((finding) => tileOf(finding, record)),
    answer: clip(oneLine(summary), 2000),
    alerts: [
      ...(record.checked ? [] : ['The output was not checked against a reference: this says what calls cost, not whether they are right.']),
      ...noiseAlerts(warnings),
    ],
    facts: [
      {
        term: 'setting',
        text: `${clip(oneLine(record.backend), 100)} · ${clip(oneLine(setting), 400)} · ${threads} thread${threads === 1 ? '' : 's'}`,
      },
      { term: 'fixed overhead', text: overhead === null ? 'not known' : `${time(overhead.latencyNs)} per call` },
      { term: 'measured', text: `${startedAt} to ${endedAt}, ${record.points[0]!.rounds.length} rounds` },
      { term: 'host', text: hostLine(host) },
      { term: 'tool', text: `attnswap ${clip(oneLine(tool.version), 50)}, seed ${seed}, exit code ${exitCode}` },
    ],
    sections: [
      {
        id: 'findings',
        title: 'Findings',
        lead: 'Slopes between logarithms: means over rounds with Student t intervals.',
        parts: [findingsTable(record)],
      },
      ...series,
      hostSection(host, warnings),
      methodsSection(['audit', 'memory']),
      reproduceSection([command]),
    ],
  };
}

function tileOf(finding: AuditFinding, record: AuditRecord): Tile {
  const { figure, against, standing, reason } = finding;
  return {
    name: `${sentenceCase(figureNames[figure])} over ${against === 'knob' ? clip(oneLine(record.knob?.name ?? 'the knob'), 40) : 'the length'}`,
    of: clip(againstText(finding, record), 100),
    figures: standing === null ? 'not judged' : standingNames[standing],
    change: `slope ${slopeText(finding)}`,
    note: finding.expected === null ? clip(reason, 200) : `expected: ${expectedText(finding)}`,
    standing: standing === null ? 'plain' : standings[standing],
  };
}

function findingsTable(record: AuditRecord): Table {
  return {
    kind: 'table',
    title: 'Slopes',
    columns: [
      { title: 'figure' },
      { title: 'over' },
      ...numeric('slope'),
      { title: 'expected' },
      { title: 'finding' },
      { title: 'reason' },
    ],
    rows: record.findings.map((finding) => {
      const { figure, slope, standing, decides, reason, setAside } = finding;
      const aside = setAside === 0 ? '' : `; ${setAside} point${setAside === 1 ? '' : 's'} ignored`;
      return [
        ...words(figureNames[figure], againstText(finding, record)),
        { text: slopeText(finding), ...(slope !== null && { value: slope }) },
        ...words(expectedText(finding)),
        {
          text: `${standing === null ? '–' : standingNames[standing]}${decides ? '' : ' (informational)'}`,
          standing: standing === null || !decides ? 'plain' : standings[standing],
        },
        ...words(`${reason}${aside}`),
      ];
    }),
  };
}

function knobSection(record: AuditRecord): Section | undefined {
  const { knob, length } = record;
  const points = record.points.filter((point) => point.length === length && point.knob !== null);
  if (knob === null || points.length < 2) return undefined;
  const across = {
    title: `At ${length} tokens`,
    of: ({ neededWork, fullWork }: AuditPoint) => neededWork / fullWork,
    where: (share: number) => `${percent(share)} of the work`,
    x: { title: 'work needed, share of dense attention', format: '.2~p' },
    guides: [
      { slope: 'skips', power: 1 },
      { slope: 'masks only', power: 0 },
    ],
  };
  return {
    id: 'knob',
    title: `Over ${knob.name}`,
    lead: 'A kernel that skips follows the rising line; one that only masks takes the same time whatever it attends to.',
    parts: charts(record, points, across),
  };
}

function lengthSection(record: AuditRecord): Section | undefined {
  const { knob } = record;
  const points = record.points.filter((point) => point.knob === (knob?.value ?? null));
  if (points.length < 2) return undefined;
  const across = {
    title: knob === null ? 'By length' : `At ${knob.name} = ${knob.value}`,
    of: ({ length }: AuditPoint) => length,
    where: (tokens: number) => `${tokens} tokens`,
  };
  return {
    id: 'length',
    title: 'Over the length',
    lead: 'Both axes are logarithmic; the dashed lines grow as n and n².',
    parts: charts(record, points, across),
  };
}

type Across = Pick<ScalingData, 'title' | 'x' | 'guides'> & {
  of(point: AuditPoint): number;
  /** A value of `of` in words. */
  where(value: number): string;
};

/** Time, and peak memory. */
function charts(record: AuditRecord, points: readonly AuditPoint[], across: Across): Chart[] {
  const hasCpu = points.every(({ rounds }) => rounds.every(({ cpuNs }) => cpuNs !== null));
  const ms = { axis: 'time per call, ms', unit: 1e6, text: time };
  const times = [
    ...(hasCpu ? [{ name: 'CPU time', variant: 'window', read: ({ cpuNs }: AuditRound) => cpuNs }] : []),
    { name: 'latency', variant: 'dense', read: ({ latencyNs }: AuditRound) => latencyNs },
  ];
  const peaks = [{ name: 'peak memory', variant: 'gated', read: ({ peakBytes }: AuditRound) => peakBytes }];
  const over = across.x === undefined ? 'length' : 'knob';
  const figures = { points, across, table: pointsTable(record, points) };
  return [
    ...chart({ ...figures, ...ms, id: `time-over-${over}`, series: times }),
    ...chart({ ...figures, axis: 'peak memory, MB', unit: 1e6, text: size, id: `memory-over-${over}`, series: peaks }),
  ];
}

interface Charted {
  readonly id: string;
  readonly points: readonly AuditPoint[];
  readonly across: Across;
  readonly table: Table;
  readonly axis: string;
  readonly unit: number;
  readonly text: (value: number) => string;
  readonly series: ReadonlyArray<{ readonly name: string; readonly variant: string; readonly read: (round: AuditRound) => number | null }>;
}

function chart({ id, points, across, table, axis, unit, text, series }: Charted): Chart[] {
  const drawn = series.flatMap(({ name, read }) =>
    points.flatMap((point): ScalingPoint[] => {
      const values = point.rounds.flatMap((round) => read(round) ?? []);
      // No logarithm of nothing.
      if (values.length === 0 || !(Math.min(...values) > 0)) return [];
      const value = median(values);
      return [
        {
          series: name,
          length: across.of(point),
          value: value / unit,
          low: Math.min(...values) / unit,
          high: Math.max(...values) / unit,
          label: `${name}, ${settingOf(point)}: ${text(value)}`,
        },
      ];
    }),
  );
  if (drawn.length === 0) return [];
  const title = `${across.title}: ${axis.replace(/,.*/, '')}`;
  const ends = series.flatMap(({ name }) => {
    const own = drawn.filter((point) => point.series === name).toSorted((a, b) => a.length - b.length);
    const said = own.map(({ length, value }) => `${text(value * unit)} at ${across.where(length)}`);
    return said.length === 0 ? [] : [`${name}: ${[...new Set([said[0], said.at(-1)])].join(' to ')}`];
  });
  const { x, guides } = across;
  const spec = scalingChart({ title, axis, series, points: drawn, ...(x && { x }), ...(guides && { guides }) });
  return [{ kind: 'chart', id, title, summary: `${ends.map(sentenceCase).join('. ')}.`, spec, table }];
}

function settingOf({ knob, length }: AuditPoint): string {
  return knob === null ? `${length} tokens` : `${knob} at ${length} tokens`;
}

function pointsTable({ kind, knob }: AuditRecord, points: readonly AuditPoint[]): Table {
  // Of a model without a window, nothing says how much work it needs.
  const share = kind !== 'model' || knob !== null;
  return {
    kind: 'table',
    title: 'Medians over rounds',
    columns: numeric(
      ...(knob === null ? [] : [knob.name]),
      'tokens',
      ...(share ? ['work of dense'] : []),
      'latency',
      'CPU time',
      'peak memory',
    ),
    rows: points.map((point) => {
      const { latencyNs, cpuNs, peakBytes } = typicalCall(point);
      return [
        ...(knob === null ? [] : [figureCell(point.knob, String)]),
        figureCell(point.length, String),
        ...(share ? [figureCell(point.neededWork / point.fullWork, percent)] : []),
        figureCell(latencyNs, time),
        figureCell(cpuNs, time),
        figureCell(peakBytes, size),
      ];
    }),
  };
}
