import { percent, size, time } from '../text/figures.ts';
import { figureCell } from '../report/document.ts';
import type { TableCell } from '../report/document.ts';
import { measuredCells } from '../report/run/measured-cell.ts';
import type { Machine } from './machines.ts';
import type { Page } from './page.ts';

/** Rows that the page holds; the query has the rest. */
const mostRows = 20_000;

/** Every cell's latest figures on every machine, to be searched. */
export function cellsPage(machines: readonly Machine[]): Page {
  const rows = machines.flatMap((machine) =>
    machine.suites.flatMap(({ name, latest }) =>
      measuredCells(latest).map(({ cell, name: kernel, setting, length, medianNs, peakBytes, speedUp, waste }): TableCell[] => [
        { text: kernel },
        figureCell(length, String),
        { text: machine.name, href: machine.page },
        cell.status === 'ok'
          ? figureCell(medianNs, time)
          : { text: cell.status, standing: cell.status === 'unsupported' ? 'plain' : 'bad' },
        figureCell(speedUp, (value) => `${Number(value.toPrecision(3))}×`),
        figureCell(peakBytes, size),
        figureCell(waste?.overall.kernelWaste.p95?.value, percent),
        { text: latest.startedAt.slice(0, 16) },
        { text: name },
        { text: setting },
      ]),
    ),
  );
  const cut = rows.length > mostRows ? ` The first ${mostRows} are shown; attnswap query has all.` : '';
  const numeric = ['tokens', 'latency', 'speed-up', 'peak', 'waste'];
  return {
    file: 'cells.html',
    title: 'Search',
    verdict: `${rows.length} cell${rows.length === 1 ? '' : 's'}`,
    standing: 'plain',
    answer: `The latest figures of every cell on every machine. Type parts of a kernel, machine, length or setting into the filter.${cut}`,
    sections: [
      {
        id: 'cells',
        title: 'All cells',
        lead: 'Latencies are not comparable between machines. Speed-up is relative to the suite’s reference kernel on the same machine, in the same run.',
        parts: [
          {
            kind: 'table',
            title: 'All cells',
            columns: ['kernel', 'tokens', 'machine', 'latency', 'speed-up', 'peak', 'waste', 'started', 'suite', 'setting'].map(
              (title) => ({
                title,
                numeric: numeric.includes(title),
                wraps: ['machine', 'setting'].includes(title),
              }),
            ),
            rows: rows.slice(0, mostRows),
          },
        ],
      },
    ],
  };
}
