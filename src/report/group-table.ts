import type { GroupFigures } from '../waste/group-meter.ts';
import type { WasteFigure } from '../waste/schema.ts';
import { numeric, words } from './document.ts';
import type { Column, Table, TableCell } from './document.ts';

/** What the groups of keys of each row of names get of attention, and what of that is waste; rows without groups are left out. */
export function groupTable(
  title: string,
  names: readonly Column[],
  found: ReadonlyArray<{ readonly names: readonly TableCell[]; readonly groups: GroupFigures | undefined }>,
): Table {
  const shares = ['mass', 'pairs', 'wasted, p = 90 %', 'p = 95 %', 'p = 99 %'];
  return {
    kind: 'table',
    title,
    columns: [...names, { title: 'keys' }, ...numeric(...shares)],
    rows: found.flatMap(({ names: own, groups = [] }) =>
      groups.map(({ name, from, to, mass, pairs, wastedCompute: { p90, p95, p99 } }) => [
        ...own,
        ...words(`${name} (${from}–${to - 1})`),
        ...[mass, pairs, p90, p95, p99].map(shareCell),
      ]),
    ),
  };
}

/** A share with its interval. */
export function shareCell(figure: WasteFigure | null): TableCell {
  if (figure === null) return { text: '–' };
  const { value, low, high } = figure;
  const points = (share: number) => (100 * share).toFixed(1);
  return { text: low === null || high === null ? `${points(value)} %` : `${points(value)} % (${points(low)} … ${points(high)})`, value };
}
