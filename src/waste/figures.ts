import type { Column, ErrorBudget, MassShare } from './columns.ts';
import { byMassShare, columnIndex, columnNames } from './columns.ts';
import type { KeyGroup } from '../contract/key-groups.ts';
import { ratioFigure } from './figure.ts';
import { groupFigures } from './group-meter.ts';
import type { WasteFigure, WasteFigures } from './schema.ts';
import { wilsonInterval } from './sink.ts';

/** What figures are made from: sums over the rows of one head, or of all. */
export interface WasteSums {
  /** Rows measured. */
  readonly rows: number;
  /** `[columns]`, those that have names first, then those of groups. */
  readonly sums: Float64Array;
  /** The same of every bootstrap resample, `[resamples, columns]`. */
  readonly replicates: Float64Array;
  /** Heads with a sink among those that could be judged. */
  readonly sinks: { readonly hits: number; readonly heads: number };
  /** q·k products of the kernel over the same rows, where they are known. */
  readonly kernelScoredPairs: number | undefined;
}

/** What a column's sum is called in a figure. */
function sumName(column: Column): string {
  const name = column.replace('withoutFirst.', '').replace(/\..*/, '');
  return name === 'labelledWaste' ? 'wastedMass' : name;
}

/** One row has no interval. */
function resampled({ rows, sums, replicates }: WasteSums) {
  return { sums, replicates: rows < 2 ? undefined : replicates };
}

function ratio(from: WasteSums, numerator: Column, denominator: Column): WasteFigure | null {
  const column = (name: Column) => ({ at: columnIndex(name), name: sumName(name) });
  return ratioFigure(resampled(from), column(numerator), column(denominator));
}

/** 1 − Σ|S_i(p)|/scoredPairs: of a kernel that scores masked pairs too, those are waste as well. */
function kernelWaste(from: WasteSums, share: MassShare): WasteFigure | null {
  const scored = from.kernelScoredPairs;
  const perRow = ratio(from, `keptPairs.${share}`, 'rows');
  if (scored === undefined || scored === 0 || perRow === null) return null;
  const kept = perRow.numerator.value;
  const scale = perRow.denominator.value / scored;
  return {
    value: 1 - kept / scored,
    low: perRow.high === null ? null : 1 - perRow.high * scale,
    high: perRow.low === null ? null : 1 - perRow.low * scale,
    numerator: { name: 'wastedScoredPairs', value: scored - kept },
    denominator: { name: 'scoredPairs', value: scored },
  };
}

function sinkRate({ sinks }: WasteSums): WasteFigure | null {
  if (sinks.heads === 0) return null;
  return {
    value: sinks.hits / sinks.heads,
    ...wilsonInterval(sinks.hits, sinks.heads),
    numerator: { name: 'headsWithSink', value: sinks.hits },
    denominator: { name: 'heads', value: sinks.heads },
  };
}

/** The figures that are given both with the first token and without it. */
function wasteFigures(from: WasteSums, prefix: '' | 'withoutFirst.'): WasteFigures['withoutFirstToken'] {
  const pairs = (name: MassShare | ErrorBudget) => ratio(from, `${prefix}wastedPairs.${name}`, `${prefix}weightedPairs`);
  return {
    wastedCompute: byMassShare(pairs),
    wastedComputeAtError: { e01: pairs('e01'), e05: pairs('e05') },
    wastedMass: ratio(from, `${prefix}wastedMass`, `${prefix}seeingRows`),
    labelledWaste: ratio(from, `${prefix}labelledWaste`, `${prefix}labelledRows`),
  };
}

/** All figures of one head, or of all; one whose denominator is 0 is null. */
export function figuresOf(from: WasteSums, groups: readonly KeyGroup[] = []): WasteFigures {
  return {
    ...wasteFigures(from, ''),
    kernelWaste: byMassShare((share) => kernelWaste(from, share)),
    missedMass: ratio(from, 'missedMass', 'denseRows'),
    pooledMass: ratio(from, 'pooledMass', 'denseRows'),
    sinkRate: sinkRate(from),
    firstTokenMass: ratio(from, 'firstTokenMass', 'seeingRows'),
    effectiveSupport: {
      entropy: ratio(from, 'effectiveKeys.entropy', 'weightedPairs'),
      participation: ratio(from, 'effectiveKeys.participation', 'weightedPairs'),
    },
    localMass: ratio(from, 'localMass', 'seeingRows'),
    withoutFirstToken: wasteFigures(from, 'withoutFirst.'),
    ...(groups.length > 0 && { groups: groupFigures(groups, resampled(from), columnNames.length) }),
  };
}
