import { methodsSection, reproduceSection } from './closing-sections.ts';
import type { RunComparison } from './compare-runs.ts';
import { ratioSection } from './comparison/ratio-charts.ts';
import { cellsSection, differencesSection, missingSection } from './comparison/side-by-side.ts';
import { cellCount, columnSentence, isWhole, label, recordSentences, refusedSentence, whatDiffers } from './comparison/wording.ts';
import { reportSchemaName } from './document.ts';
import type { Report } from './document.ts';

/** Columns that the answer speaks of; the others are in the charts and tables. */
const mostAnswered = 3;

/** The report of run records side by side: what differs first, as every ratio compares all of it. */
export function comparisonReport(comparison: RunComparison): Report {
  const { records, columns, rows } = comparison;
  const sections = [
    differencesSection(comparison),
    ratioSection(comparison),
    cellsSection(comparison),
    missingSection(comparison),
    methodsSection(['ratio', 'latency', 'memory', 'waste', 'error']),
    reproduceSection([['compare', ...records.map(({ source }) => source)], ...records.map(({ command }) => command)]),
  ];
  return {
    schema: reportSchemaName,
    kind: 'comparison',
    title: `Runs side by side: ${columns
      .slice(0, 4)
      .map(({ name }) => label(name))
      .join(', ')}${columns.length > 4 ? ', …' : ''}`,
    verdict: 'No verdict: the runs were not measured side by side',
    tiles: [],
    answer: answerOf(comparison),
    standing: isWhole(comparison) ? 'plain' : 'unsure',
    alerts: alertsOf(comparison),
    facts: [
      { term: 'base', text: label(columns[0]!.name) },
      { term: 'records', text: records.map(({ name }) => label(name)).join(', ') },
      { term: 'cells', text: `${cellCount(rows.length)} in ${columns.length} columns` },
    ],
    sections: sections.filter((section) => section !== undefined),
  };
}

function answerOf(comparison: RunComparison): string {
  const others = comparison.columns.slice(1);
  if (others.length === 0) return 'Nothing is comparable: no record shares a cell with the base.';
  const told = others.slice(0, mostAnswered).map((column) => columnSentence(comparison, column));
  const left = others.length - told.length;
  return [...told, ...(left > 0 ? [`${left} more column${left === 1 ? ' is' : 's are'} shown below.`] : [])].join(' ');
}

/** What makes figures incomparable, then what is missing. */
function alertsOf(comparison: RunComparison): string[] {
  const { columns, refused, differences } = comparison;
  const base = columns[0]!;
  const hostDiffers = differences.some(({ kind }) => kind !== 'measuring') || comparison.records.some(({ described }) => !described);
  const missing = columns.filter((column) => column.missing > 0);
  return [
    ...(hostDiffers ? [whatDiffers(comparison)] : []),
    ...refused.map((column) => refusedSentence(column)),
    ...recordSentences(comparison),
    ...missing.map(
      (column) =>
        `${cellCount(column.missing)} of ${comparison.rows.length} missing or not ok in ${label(column.name)}${column === base ? ', the base' : ''}.`,
    ),
  ];
}
