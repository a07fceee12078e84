import { percent, time } from '../../text/figures.ts';
import { clip } from '../../text/layout.ts';
import { oneLine } from '../../text/untrusted.ts';
import { figureCell, numeric, words } from '../document.ts';
import type { Section, Table, TableCell } from '../document.ts';
import { longest } from './measured-cell.ts';
import type { SettingGroup } from './measured-cell.ts';

/** Operators of one cell that are named; the rest are added up. */
const mostOperators = 6;

/** What the runtime's own profile says really ran, at the greatest length of each setting. */
export function dispatchSection(groups: readonly SettingGroup[]): Section | undefined {
  const told = ({ name, setting, length, cell }: SettingGroup['cells'][number]): Told[] =>
    cell.dispatch === undefined ? [] : [{ name, setting, length, dispatch: cell.dispatch }];
  return operatorsSection(
    groups.flatMap((group) => longest(group).flatMap(told)),
    groups.flatMap(({ cells }) => cells.flatMap(told)),
  );
}

/** A profile, and of which call it is. */
interface Told {
  readonly name: string;
  readonly setting: string;
  readonly length: number;
  readonly dispatch: Dispatch;
}

/** The operators of some calls, and what the runtime says of those and others. */
export function operatorsSection(shown: readonly Told[], flagged: readonly Told[] = shown): Section | undefined {
  const rows = shown.flatMap((told) => rowsOf(told, told.dispatch));
  if (rows.length === 0) return undefined;
  const flags = flagged.flatMap(({ name, length, dispatch }) =>
    dispatch.flags.map((flag) => `${name} at ${length} tokens: ${clip(oneLine(flag), 400)}`),
  );
  const table: Table = {
    kind: 'table',
    title: 'Operators that ran',
    columns: [
      { title: 'kernel' },
      { title: 'setting' },
      { title: 'operator' },
      { title: 'provider' },
      ...numeric('calls', 'time', 'share'),
    ],
    rows,
  };
  const lead =
    'From the runtime’s own profile of one call, not from what was requested. The time of an operator with a body, such as Loop, includes the time of its body.';
  return {
    id: 'dispatch',
    title: 'Operators that ran',
    lead,
    parts: [...(flags.length > 0 ? [{ kind: 'notes' as const, lines: flags }] : []), table],
  };
}

type Dispatch = NonNullable<SettingGroup['cells'][number]['cell']['dispatch']>;

function rowsOf({ name, setting, length }: Omit<Told, 'dispatch'>, { operators }: Dispatch): TableCell[][] {
  const total = operators.reduce((sum, { totalNs }) => sum + totalNs, 0);
  const sorted = operators.toSorted((a, b) => b.totalNs - a.totalNs);
  const rest = sorted.slice(mostOperators);
  const others = { operator: `${rest.length} others`, provider: '', calls: sum(rest, 'calls'), totalNs: sum(rest, 'totalNs') };
  return [...sorted.slice(0, mostOperators), ...(rest.length > 0 ? [others] : [])].map(({ operator, provider, calls, totalNs }) => [
    ...words(name, `${setting} · ${length} tokens`, clip(oneLine(operator), 80), clip(oneLine(provider), 80)),
    figureCell(calls, String),
    figureCell(totalNs, time),
    figureCell(total > 0 ? totalNs / total : undefined, percent),
  ]);
}

function sum(operators: Dispatch['operators'], field: 'calls' | 'totalNs'): number {
  return operators.reduce((total, operator) => total + operator[field], 0);
}
