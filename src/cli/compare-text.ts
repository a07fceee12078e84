import { markNotes, steadyMark } from '../report/cell-facts.ts';
import { isMeasured } from '../report/compare-runs.ts';
import type { ComparedCell, ComparedRow, RunComparison } from '../report/compare-runs.ts';
import {
  cellCount,
  columnSentence,
  label,
  missingCells,
  ratioText,
  recordSentences,
  refusedSentence,
  whatDiffers,
} from '../report/comparison/wording.ts';
import type { MissingCell } from '../report/comparison/wording.ts';
import { inert } from '../text/untrusted.ts';
import { wrap } from '../text/layout.ts';
import { factor, time } from '../text/figures.ts';
import { table } from '../text/layout.ts';

const width = 100;
/** A kernel's name is not cut shorter than this, whatever the width. */
const leastName = 16;
/** Groups of missing cells, and cells of one group, that are named. */
const mostGroups = 20;
const mostNamed = 4;

/** A comparison for a terminal of 100 columns: what differs, then the cells side by side, then what is missing. Of what shares nothing, the differences alone. */
export function comparisonText(comparison: RunComparison): string {
  const comparable = comparison.columns.length > 1;
  const beside = comparable ? [recordLines(comparison), ...cellBlocks(comparison), closing(comparison)] : [];
  const blocks = [differenceLines(comparison), ...beside];
  return blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.map(inert).join('\n'))
    .join('\n\n');
}

/** What a record, or a column, is called in the rest: A, B, …, Z, A1. */
function letterOf(index: number): string {
  return String.fromCharCode(65 + (index % 26)) + (index < 26 ? '' : String(Math.floor(index / 26)));
}

function recordLines({ records, columns }: RunComparison): string[] {
  const lines = columns.map(({ name, record }, index) => {
    const { suite, tool, startedAt, measured, declared, fingerprint } = records[record]!;
    const host = fingerprint === null ? 'host not described' : `host ${label(fingerprint)}`;
    const facts = [
      `suite ${label(suite, 40)}`,
      `attnswap ${label(tool, 20)}`,
      startedAt.slice(0, 16),
      host,
      `${measured} of ${declared} cells`,
    ];
    return `${letterOf(index)}  ${label(name)}${index === 0 ? ' (base)' : ''}: ${facts.join(' · ')}`;
  });
  return lines.flatMap((line) => wrap(line, width));
}

/** The sentence, then field by field, records with the same value together. */
function differenceLines(comparison: RunComparison): string[] {
  const { records, differences } = comparison;
  const fields = differences.map(({ field, values }) => {
    const byValue = Map.groupBy(records.keys(), (record) => values[record]!);
    const told = [...byValue].map(
      ([value, own]) => `${own.map((record) => label(records[record]!.name, 40)).join(', ')}: ${label(value, 200)}`,
    );
    return `- ${label(field)}: ${told.join(' | ')}`;
  });
  return [whatDiffers(comparison), ...fields].flatMap((line) => wrap(line, width));
}

/** A block for each setting; the columns are split over several tables where one would be too wide. */
function cellBlocks(comparison: RunComparison): string[][] {
  const groups = [...Map.groupBy(comparison.rows, ({ setting }) => setting)];
  const byBase = [...Map.groupBy([...comparison.columns.keys()].slice(1), (index) => comparison.columns[index]!.base)];
  return groups.map(([setting, rows]) => {
    const texts = byBase.flatMap(([base, others]) => tables(rows, base, others));
    return [label(setting, width), ...texts.flatMap((text) => text.split('\n'))];
  });
}

function tables(rows: readonly ComparedRow[], base: number, others: readonly number[]): string[] {
  const whole = tableOf(rows, base, others);
  if (others.length < 2 || whole.split('\n').every((line) => line.length <= width)) return [whole];
  const half = Math.ceil(others.length / 2);
  return [...tables(rows, base, others.slice(0, half)), ...tables(rows, base, others.slice(half))];
}

function tableOf(rows: readonly ComparedRow[], base: number, others: readonly number[]): string {
  const heading = [letterOf(base), ...others.flatMap((index) => [letterOf(index), `${letterOf(index)} / ${letterOf(base)}`, 'peak'])];
  const figures = rows.map(({ cells }) => [latencyText(cells[base]!), ...others.flatMap((index) => figuresOf(cells[index]!))]);
  const taken = heading.map((title, column) => Math.max(title.length, ...figures.map((row) => row[column]!.length)) + 2);
  const room = Math.max(leastName, width - taken.reduce((sum, each) => sum + each, 0));
  return table([['kernel', ...heading], ...rows.map(({ kernel }, index) => [label(kernel, room), ...figures[index]!])]);
}

/** Latency, its ratio, the peak's ratio. */
function figuresOf(cell: ComparedCell): string[] {
  const { ratio, peakRatio } = cell;
  return [latencyText(cell), ratio === null ? '–' : ratioText(ratio), peakRatio === null ? '–' : factor(peakRatio)];
}

function latencyText(cell: ComparedCell): string {
  if (!isMeasured(cell)) return cell.status === 'ok' ? '–' : cell.status;
  return time(cell.medianNs!) + steadyMark(cell.steady);
}

/** Means, what is missing and why, then what the figures are. */
function closing(comparison: RunComparison): string[] {
  const { columns, refused, rows } = comparison;
  const timed = rows.flatMap(({ cells }) => cells.filter(isMeasured));
  const lines = [
    ...columns.slice(1).map((column) => columnSentence(comparison, column)),
    ...refused.map((column) => refusedSentence(column)),
    ...recordSentences(comparison),
    ...missingLines(missingCells(comparison)),
    ...markNotes(timed.map(({ steady }) => steady)),
    'Ratios compare medians; their intervals cover only the spread within the two processes, so this is not a verdict. For a verdict, use attnswap ab or attnswap gate.',
  ];
  return lines.flatMap((line) => wrap(line, width));
}

/** One line for all that are missing in a column for the same reason. */
function missingLines(missing: readonly MissingCell[]): string[] {
  const groups = [...Map.groupBy(missing, ({ column, status, reason }) => JSON.stringify([column, status, reason])).values()];
  const lines = groups.slice(0, mostGroups).map((group) => {
    const { column, status, reason } = group[0]!;
    const names = group.slice(0, mostNamed).map(({ kernel, setting }) => `${label(kernel)} (${label(setting, 80)})`);
    const others = group.length - names.length;
    const which = `${names.join(', ')}${others > 0 ? `, and ${others} more` : ''}`;
    return `missing in ${label(column)}: ${cellCount(group.length)} ${status}${reason === '' ? '' : ` (${label(reason, 300)})`}: ${which}`;
  });
  const left = groups.length - mostGroups;
  return left > 0 ? [...lines, `${left} more reasons for missing cells; --json lists them all.`] : lines;
}
