import type { Figure, Figures, Measure } from './figures.ts';

/** What monitoring systems know a measure as. */
interface Family {
  readonly name: string;
  readonly help: string;
  /** Its base unit, and how many of a figure's own units make one. */
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

/** The values of one measure, or of one end of its intervals. */
export interface Gauge {
  /** Words of its name; its unit is not among them. */
  readonly name: readonly string[];
  readonly unit: Family['unit'];
  readonly help: string;
  readonly samples: ReadonlyArray<{ readonly labels: Readonly<Record<string, string>>; readonly value: number }>;
}

const ends = [
  ['value', [], ''],
  ['low', ['low'], ' Lower end of the interval.'],
  ['high', ['high'], ' Upper end of the interval.'],
] as const;

/** Whether monitoring systems are told of a figure. */
export function hasGauge({ measure }: Figure): boolean {
  return families[measure] !== undefined;
}

/** The figures of a record in base units, measure by measure; without those that have no value. */
export function gaugesOf({ name: record, figures }: Figures): Gauge[] {
  const gauges = Object.entries(families).flatMap(([measure, { name, help, unit, per }]) => {
    const own = figures.filter((figure) => figure.measure === measure);
    return ends.map(([end, words, of]): Gauge => {
      const samples = own.flatMap((figure) => sampleOf(figure, figure[end], per, record));
      return { name: [name, ...words], unit, help: help + of, samples };
    });
  });
  return gauges.filter(({ samples }) => samples.length > 0);
}

function sampleOf({ benchmark: cell, labels }: Figure, value: number | null, per: number, record: string) {
  return value === null ? [] : [{ labels: { record, cell, ...labels }, value: value / per }];
}
