import { changeText } from '../verdict/wording.ts';
import { time } from '../text/figures.ts';
import { label } from '../report/comparison/wording.ts';
import { figureCell, numeric } from '../report/document.ts';
import type { Table, TableCell } from '../report/document.ts';
import type { Machine } from './machines.ts';

/** Every change of latency on these machines, with the two runs that it lies between; the latest first. */
export function changesTable(machines: readonly Machine[]): Table {
  const all = machines.flatMap((machine) => machine.history.changes.map((change) => ({ machine, ...change })));
  const rows = all.toSorted((a, b) => b.after.localeCompare(a.after));
  return {
    kind: 'table',
    title: 'Changes in latency, latest first',
    columns: [
      { title: 'cell', wraps: true },
      ...numeric('before', 'after', 'change'),
      { title: 'last run before', wraps: true },
      { title: 'first run after', wraps: true },
      ...(machines.length === 1 ? [] : [{ title: 'machine', wraps: true }]),
    ],
    rows: rows.map(({ machine, cell, beforeNs, afterNs, change, before, after }): TableCell[] => [
      { text: label(cell, 120) },
      figureCell(beforeNs, time),
      figureCell(afterNs, time),
      { text: changeText({ estimate: change, low: change, high: change, confidence: 1 }), value: change },
      { text: label(before, 80) },
      { text: label(after, 80) },
      ...(machines.length === 1 ? [] : [{ text: machine.name, href: machine.page }]),
    ]),
  };
}
