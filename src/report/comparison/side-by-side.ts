import { digits, factor, percent, size, time } from '../../text/figures.ts';
import type { ComparedCell, ComparedRow, RunComparison } from '../compare-runs.ts';
import { steadyMark } from '../cell-facts.ts';
import { figureCell, numeric, words } from '../document.ts';
import type { Section, Table, TableCell } from '../document.ts';
import { basesSentence, label, missingCells, ratioText } from './wording.ts';

/** Cells that are listed as missing: more are counted. */
const mostMissing = 500;

/** Fields in which the records differ, one column each, then the records themselves. */
export function differencesSection(comparison: RunComparison): Section {
  const { records, differences } = comparison;
  const titles = records.map(({ name }) => ({ title: label(name) }));
  const table: Table = {
    kind: 'table',
    title: 'Fields that differ',
    columns: [{ title: 'field' }, ...titles],
    rows: differences.map(({ field, values }) => words(...[field, ...values].map((text) => label(text, 300)))),
  };
  const facts: Table = {
    kind: 'table',
    title: 'The records',
    columns: ['record', 'file', 'suite', 'attnswap', 'started', 'host', 'cells'].map((title) => ({ title })),
    rows: records.map(({ name, source, suite, tool, startedAt, fingerprint, measured, declared }) =>
      words(
        ...[name, source, suite, tool, startedAt, fingerprint ?? 'not described', `${measured} of ${declared}`].map((text) =>
          label(text, 200),
        ),
      ),
    ),
  };
  const none = differences.length === 0 ? 'No field differs. ' : '';
  const lead = `${none}Every ratio below reflects all of these differences at once, as well as the time between the runs. Only what the records contain is listed.`;
  return { id: 'differences', title: 'What differs', lead, parts: [...(differences.length === 0 ? [] : [table]), facts] };
}

/** Every cell in every column: latency, memory, then waste and error. */
export function cellsSection(comparison: RunComparison): Section {
  const tables = [latencyTable(comparison), memoryTable(comparison), wasteTable(comparison)];
  const lead = `Ratios are ${basesSentence(comparison)}. A cell without a figure shows its status. * marks a latency that did not become steady, † one with too few samples to tell.`;
  return { id: 'cells', title: 'All cells', lead, parts: tables.filter((table) => table !== undefined) };
}

/** What some columns have and others have not, or not well; undefined where nothing is missing. */
export function missingSection(comparison: RunComparison): Section | undefined {
  const missing = missingCells(comparison);
  if (missing.length === 0) return undefined;
  const table: Table = {
    kind: 'table',
    title: 'Missing cells',
    columns: ['column', 'kernel', 'setting', 'status', 'reason'].map((title) => ({ title })),
    rows: missing
      .slice(0, mostMissing)
      .map(({ column, kernel, setting, status, reason }) => [
        ...words(label(column), label(kernel), label(setting, 120)),
        { text: status, standing: status === 'ok' || status === 'absent' || status === 'unsupported' ? 'unsure' : 'bad' },
        ...words(label(reason, 300)),
      ]),
  };
  const cut = missing.length > mostMissing ? ` The first ${mostMissing} of ${missing.length} are listed.` : '';
  return {
    id: 'missing',
    title: 'Missing cells',
    lead: `Cells that another column has. They are left out of all ratios and means.${cut}`,
    parts: [table],
  };
}

function latencyTable(comparison: RunComparison): Table {
  return sideBySide(comparison, 'Latency', {
    titles: (name) => [name],
    figures: (cell) => [latencyCell(cell)],
    ratio: ({ ratio }) => (ratio === null ? { text: '–' } : { text: ratioText(ratio), value: ratio.value }),
  });
}

function memoryTable(comparison: RunComparison): Table | undefined {
  if (!comparison.rows.some(({ cells }) => cells.some(({ peakBytes }) => peakBytes !== null))) return undefined;
  return sideBySide(comparison, 'Peak memory: the device’s where it has its own, else the host’s', {
    titles: (name) => [name],
    figures: ({ peakBytes }) => [figureCell(peakBytes, size)],
    ratio: ({ peakRatio }) => figureCell(peakRatio, factor),
  });
}

/** Waste and error follow from kernel and inputs, not from the machine: where they differ, something else does. */
function wasteTable(comparison: RunComparison): Table | undefined {
  if (!comparison.rows.some(({ cells }) => cells.some(({ waste, error }) => waste !== null || error !== null))) return undefined;
  return sideBySide(comparison, 'Waste and error', {
    titles: (name) => [`waste, ${name}`, `error, ${name}`],
    figures: ({ waste, error }) => [figureCell(waste, percent), figureCell(error, digits)],
  });
}

interface Shown {
  titles(name: string): string[];
  figures(cell: ComparedCell): TableCell[];
  /** Shown beside the figures of all columns but the base. */
  ratio?(cell: ComparedCell): TableCell;
}

function sideBySide({ columns, rows }: RunComparison, title: string, shown: Shown): Table {
  const oneBase = columns.every(({ base }) => base === 0);
  const headings = columns.flatMap(({ name, base }, index) => {
    const over = oneBase ? 'base' : label(columns[base]!.name);
    const ratio = index > 0 && shown.ratio !== undefined ? [`${label(name)} / ${over}`] : [];
    return numeric(...shown.titles(label(name)), ...ratio);
  });
  const cellsOf = ({ cells }: ComparedRow) =>
    cells.flatMap((cell, index) => [...shown.figures(cell), ...(index > 0 && shown.ratio !== undefined ? [shown.ratio(cell)] : [])]);
  return {
    kind: 'table',
    title,
    columns: [{ title: 'kernel' }, { title: 'setting' }, ...headings],
    rows: rows.map((row) => [...words(label(row.kernel), label(row.setting, 120)), ...cellsOf(row)]),
  };
}

function latencyCell({ status, medianNs, steady }: ComparedCell): TableCell {
  if (medianNs === null) return { text: status === 'ok' ? '–' : status, standing: 'unsure' };
  return { text: `${time(medianNs)}${steadyMark(steady)}`, value: medianNs };
}
