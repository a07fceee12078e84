import { digits, factor } from '../../text/figures.ts';
import { oneLine } from '../../text/untrusted.ts';
import { shorten } from '../../text/layout.ts';
import { isMeasured } from '../compare-runs.ts';
import type { ComparedColumn, ComparedRecord, RefusedColumn, RunComparison } from '../compare-runs.ts';
import type { Ratio } from './ratio.ts';

/** Fields, and names, that a sentence lists before it only counts. */
const mostListed = 8;

/** Untrusted text as a heading or a label shows it. */
export function label(text: string, most = 60): string {
  return shorten(oneLine(text), most);
}

/** What a column's cells take of the base's time, then what is missing in it. */
export function columnSentence({ columns }: RunComparison, column: ComparedColumn): string {
  const [name, base] = [label(column.name), label(columns[column.base]!.name)];
  const { meanRatio, shared } = column;
  const missing = column.missing === 0 ? '' : `; ${cellCount(column.missing)} ${column.missing === 1 ? 'is' : 'are'} missing`;
  if (meanRatio === null) return `${name} and ${base} share ${cellCount(shared)}, and none is ok in both${missing}.`;
  const { value, least, most, cells } = meanRatio;
  const range = cells === 1 ? '' : ` (${factor(least)} to ${factor(most)})`;
  const mean = cells === 1 ? 'in the one shared cell' : `in the geometric mean over ${cells} shared cells`;
  return `${name} takes ${factor(value)} the time of ${base} ${mean}${range}: it is ${factor(1 / value)} as fast${missing}.`;
}

/** What ratios are relative to. */
export function basesSentence({ columns }: RunComparison): string {
  const first = label(columns[0]!.name);
  return columns.every(({ base }) => base === 0)
    ? `relative to ${first}`
    : `relative to the first record’s column of the same backend, or to ${first} where it has none`;
}

/** Why a column is not compared. */
export function refusedSentence({ name, base: against, cells, nearest }: RefusedColumn): string {
  const base = label(against);
  if (cells === 0) return `${label(name)} holds no cells: nothing to compare with ${base}.`;
  const why = nearest.length === 0 ? `${base} holds none` : `the nearest cells differ: ${nearest.join('; ')}`;
  return `${label(name)} shares no cell with ${base}: ${why}.`;
}

/** What a ratio compares, as far as the records tell. */
export function whatDiffers({ records, differences }: RunComparison): string {
  const fields = differences.filter(({ kind }) => kind !== 'measuring').map(({ field }) => label(field));
  const silent = records.filter(({ described }) => !described).map(({ name }) => label(name));
  const unknown =
    silent.length === 0
      ? ''
      : ` ${listed(silent)} ${silent.length === 1 ? 'does' : 'do'} not describe the host, so there may be other differences.`;
  if (fields.length === 1) return `What differs: ${fields[0]}; a ratio reflects this difference and the time between the runs.${unknown}`;
  if (fields.length > 1)
    return `What differs: ${listed(fields)}; a ratio reflects all of these differences and the time between the runs.${unknown}`;
  return `The records show no difference in host, versions or suite: a ratio reflects only the time between the runs.${unknown}`;
}

/** Records that are not whole, or hold a cell twice. */
export function recordSentences({ records }: RunComparison): string[] {
  return records.flatMap((record) => [...incomplete(record), ...repeated(record)]);
}

export interface MissingCell {
  readonly column: string;
  readonly kernel: string;
  readonly setting: string;
  readonly status: string;
  readonly reason: string;
}

/** Every cell that some column has and another has not, or not well: in columns' order. */
export function missingCells({ columns, rows }: RunComparison): MissingCell[] {
  return columns.flatMap(({ name: column }, index) =>
    rows.flatMap(({ kernel, setting, cells }) => {
      const cell = cells[index]!;
      return isMeasured(cell) ? [] : [{ column, kernel, setting, status: cell.status, reason: cell.reason ?? '' }];
    }),
  );
}

/** Whether every cell is ok in every column, and every record whole. */
export function isWhole({ records, columns, refused }: RunComparison): boolean {
  return (
    refused.length === 0 && columns.every(({ missing }) => missing === 0) && records.every((record) => incomplete(record).length === 0)
  );
}

/** `0.757× [0.748, 0.766]`. */
export function ratioText({ value, interval }: Ratio): string {
  return interval === null ? factor(value) : `${factor(value)} [${digits(interval.low)}, ${digits(interval.high)}]`;
}

export function cellCount(count: number): string {
  return `${count} cell${count === 1 ? '' : 's'}`;
}

function incomplete({ name, complete, declared, measured }: ComparedRecord): string[] {
  if (declared > measured) return [`${label(name)} is incomplete: ${declared - measured} of ${declared} declared cells were not measured.`];
  return complete ? [] : [`${label(name)} is incomplete: the run was interrupted.`];
}

function repeated({ name, repeated: count }: ComparedRecord): string[] {
  return count === 0 ? [] : [`${label(name)} holds ${cellCount(count)} of a configuration that it already has; the first one counts.`];
}

function listed(texts: readonly string[]): string {
  const others = texts.length - mostListed;
  return others > 0 ? `${texts.slice(0, mostListed).join(', ')} and ${others} more` : texts.join(', ');
}
