import { time } from '../text/figures.ts';
import { historyOf } from '../compare/latency-history.ts';
import type { HistoryPoint } from '../compare/latency-history.ts';
import { hostSection } from '../report/host-section.ts';
import { scalingSection } from '../report/run/scaling-section.ts';
import { measuredCells, settingGroups } from '../report/run/measured-cell.ts';
import type { MeasuredCell } from '../report/run/measured-cell.ts';
import { timelineChart } from '../report/charts/timeline.ts';
import { label } from '../report/comparison/wording.ts';
import { figureCell, numeric, words } from '../report/document.ts';
import type { Chart, Section } from '../report/document.ts';
import { changesTable } from './changes.ts';
import type { Machine } from './machines.ts';
import type { Page } from './page.ts';

/** Cells whose history is drawn: those that changed, the latest change first, then those of the longest lengths. */
const mostHistories = 12;

/** One machine: what changed on it, its latest figures, and its runs. */
export function machinePage(machine: Machine): Page {
  const { name, page, runs, history, suites } = machine;
  const { changes } = history;
  const latest = runs.at(-1)!;
  return {
    file: page,
    title: `Machine: ${name}`,
    verdict: changes.length === 0 ? 'No change in latency found' : `${changes.length} change${changes.length === 1 ? '' : 's'} in latency`,
    standing: 'plain',
    answer: `${runs.length} run${runs.length === 1 ? '' : 's'} from ${runs[0]!.startedAt.slice(0, 10)} to ${latest.startedAt.slice(0, 10)}.`,
    alerts:
      history.notCompared.length === 0
        ? []
        : [`Some runs could not read ${history.notCompared.join(', ')}, so they are not used to tell machines apart.`],
    sections: [
      ...(changes.length === 0 ? [] : [changesSection(machine)]),
      ...historySection(machine),
      ...suites.flatMap(({ name: suite, latest: run, latestRun }, index) => {
        const section = scalingSection(settingGroups(measuredCells(run)));
        return section === undefined ? [] : [ofSuite(section, index, `${suite}: latest figures (${latestRun.startedAt.slice(0, 16)})`)];
      }),
      runsSection(machine),
      hostSection(latest.host, []),
    ],
  };
}

/** Several suites share a page: ids must not. */
function ofSuite(section: Section, index: number, title: string): Section {
  const parts = section.parts.map((part) => (part.kind === 'chart' ? { ...part, id: `suite-${index + 1}-${part.id}` } : part));
  return { ...section, id: `suite-${index + 1}`, title, parts };
}

function changesSection(machine: Machine): Section {
  return {
    id: 'changes',
    title: 'Changes',
    lead: 'Cells whose latency moved to another level that held for at least three runs, and the two runs between which it happened. The figures do not say what changed in between (a driver, a version, the machine).',
    parts: [changesTable([machine])],
  };
}

function historySection({ runs, history, suites }: Machine): Section[] {
  const cells = new Map(suites.flatMap(({ latest }) => measuredCells(latest).map((cell): [string, MeasuredCell] => [cell.cell.id, cell])));
  const changed = history.changes.toSorted((a, b) => b.after.localeCompare(a.after)).map(({ cell }) => cell);
  const longest = [...cells.values()].toSorted((a, b) => b.length - a.length).map(({ cell }) => cell.id);
  const wanted = [...new Set([...changed, ...longest])].slice(0, mostHistories);
  const charts = wanted.flatMap((cell, index) => {
    const points = historyOf(cell, runs);
    return points.length < 2 ? [] : [timelineOf(nameOfCell(cell, cells.get(cell)), points, index)];
  });
  if (charts.length === 0) return [];
  const all = new Set(runs.flatMap(({ medians }) => [...medians.keys()])).size;
  const cut = all > charts.length ? ` ${charts.length} of ${all} cells are drawn: those that changed first, then the longest.` : '';
  return [
    {
      id: 'history',
      title: 'Latency run by run',
      lead: `Each point is the median of one run; the line is the level between two changes, a dashed line where a level begins.${cut}`,
      parts: charts,
    },
  ];
}

function nameOfCell(id: string, measured: MeasuredCell | undefined): string {
  return measured === undefined ? label(id, 120) : `${measured.name} · ${measured.length} tokens · ${measured.setting}`;
}

function timelineOf(title: string, points: readonly HistoryPoint[], index: number): Chart {
  const levels = [...Map.groupBy(points, ({ level }) => level).values()].map((own) => ({
    from: own[0]!.run.startedAt,
    to: own.at(-1)!.run.startedAt,
    value: own[0]!.levelNs / 1e6,
  }));
  const told = levels.map(({ value }) => time(value * 1e6)).join(', then ');
  return {
    kind: 'chart',
    id: `history-${index + 1}`,
    title,
    summary: `${points.length} runs. ${levels.length === 1 ? `One level: ${told}.` : `${levels.length} levels: ${told}.`}`,
    spec: timelineChart({
      title,
      axis: 'median latency, ms',
      points: points.map(({ run, medianNs }) => ({
        time: run.startedAt,
        value: medianNs / 1e6,
        label: `${run.startedAt.slice(0, 16)}: ${time(medianNs)} (${run.file})`,
      })),
      levels,
    }),
    table: {
      kind: 'table',
      title,
      columns: [{ title: 'run' }, { title: 'started' }, ...numeric('latency', 'level')],
      rows: points.map(({ run, medianNs, levelNs }) => [
        ...words(run.file, run.startedAt.slice(0, 16)),
        figureCell(medianNs, time),
        figureCell(levelNs, time),
      ]),
    },
  };
}

function runsSection({ runs }: Machine): Section {
  return {
    id: 'runs',
    title: 'Runs',
    lead: 'Latest first. attnswap compare store:… store:… shows two of them side by side.',
    parts: [
      {
        kind: 'table',
        title: 'Runs',
        columns: [{ title: 'run' }, { title: 'started' }, { title: 'suite' }, ...numeric('cells'), { title: 'version' }, { title: 'file' }],
        rows: runs
          .toReversed()
          .map(({ file, startedAt, stored: { suite, cells, declared, version, source } }) => [
            ...words(file, startedAt.slice(0, 16), label(suite)),
            { text: cells === declared ? String(cells) : `${cells} of ${declared}`, value: cells },
            ...words(label(version), label(source, 120)),
          ]),
      },
    ],
  };
}
