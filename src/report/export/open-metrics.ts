import { fingerprintOf } from '../../compare/baseline.ts';
import type { Figure, Figures, Measure } from './figures.ts';

interface Family {
  readonly name: string;
  readonly help: string;
  /** The family's unit, which its name ends in, and how many of a figure's own units make one. */
  readonly unit: 'seconds' | 'bytes' | 'ratio';
  readonly per: number;
}

const ratio = { unit: 'ratio', per: 1 } as const;
const families: Readonly<Partial<Record<Measure, Family>>> = {
  latency: { name: 'latency', help: 'Median latency of one call.', unit: 'seconds', per: 1e9 },
  'cpu-time': { name: 'cpu_time', help: 'Processor time of one call.', unit: 'seconds', per: 1e9 },
  'peak-memory': { name: 'peak_memory', help: 'Peak memory of one call beyond its inputs.', unit: 'bytes', per: 1 },
  waste: { name: 'waste', help: 'Share of scored pairs beyond the smallest sets of keys that hold 95 % of the attention.', ...ratio },
  'missed-mass': { name: 'missed_mass', help: 'Share of dense attention on keys that the variant does not see.', ...ratio },
  error: { name: 'relative_error', help: 'Relative error against the float64 reference.', ...ratio },
  'ratio-to-reference': { name: 'latency_to_reference', help: 'Latency over that of the reference cell.', ...ratio },
};

/** OpenMetrics 1.0 text: a gauge for each measure, and for the ends of its interval. No sample has a time: `attnswap_record_started` says when. */
export function openMetrics(record: Figures): string {
  const shared = { record: record.name };
  const about = { ...shared, version: record.version, fingerprint: fingerprintOf(record).slice(0, 12) };
  const started = 'attnswap_record_started_timestamp_seconds';
  return [
    '# TYPE attnswap_record info',
    '# HELP attnswap_record What was measured, and on which host.',
    `attnswap_record_info${labelled(about)} 1`,
    `# TYPE ${started} gauge`,
    `# UNIT ${started} seconds`,
    `# HELP ${started} When the measurement began, in seconds since 1970.`,
    `${started}${labelled(shared)} ${Date.parse(record.startedAt) / 1000}`,
    ...Object.entries(families).flatMap(([measure, family]) => {
      const own = record.figures.filter((figure) => figure.measure === measure);
      return [
        ...gauge(family, '', own, shared, ({ value }) => value),
        ...gauge(family, '_low', own, shared, ({ low }) => low),
        ...gauge(family, '_high', own, shared, ({ high }) => high),
      ];
    }),
    '# EOF',
    '',
  ].join('\n');
}

type Labels = Readonly<Record<string, string>>;

function gauge(
  { name, help, unit, per }: Family,
  suffix: '' | '_low' | '_high',
  figures: readonly Figure[],
  shared: Labels,
  read: (figure: Figure) => number | null,
): string[] {
  const full = `attnswap_${name}${suffix}_${unit}`;
  const samples = figures.flatMap((figure) => {
    const value = read(figure);
    return value === null ? [] : [`${full}${labelled({ ...shared, cell: figure.benchmark, ...figure.labels })} ${value / per}`];
  });
  if (samples.length === 0) return [];
  const ends = { '': '', _low: ' Lower end of the interval.', _high: ' Upper end of the interval.' }[suffix];
  return [`# TYPE ${full} gauge`, `# UNIT ${full} ${unit}`, `# HELP ${full} ${help}${ends}`, ...samples];
}

function labelled(labels: Labels): string {
  const escape = (text: string) =>
    text
      .replaceAll('\\', '\\\\')
      .replaceAll('"', String.raw`\"`)
      .replaceAll('\n', String.raw`\n`);
  return `{${Object.entries(labels)
    .map(([name, value]) => `${name}="${escape(value)}"`)
    .join()}}`;
}
