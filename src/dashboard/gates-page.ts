import { hostName } from '../store/host.ts';
import type { StoredVerdict } from '../store/read.ts';
import { baseToNew, changeText, marginText, metricNames, outcomeText } from '../verdict/wording.ts';
import { outcomesChart } from '../report/charts/outcomes.ts';
import { label } from '../report/comparison/wording.ts';
import { figureCell, numeric, words } from '../report/document.ts';
import type { Chart, Section, Standing, Table, TableCell } from '../report/document.ts';
import { standingOf } from '../report/verdict/changes-section.ts';
import { standings } from '../report/verdict-report.ts';
import type { Page } from './page.ts';

/** Gates that are drawn: those judged last. */
const mostGates = 20;
/** Comparisons that the table holds: the latest. */
const mostComparisons = 2000;

/** A verdict with what it is of. */
interface Judged extends StoredVerdict {
  /** Kind, name and machine: what has a history. */
  readonly gate: string;
  readonly standing: Standing;
}

/** Every stored verdict: outcomes over time, then what did not pass. */
export function gatesPage(verdicts: readonly StoredVerdict[]): Page {
  const judged = verdicts.toReversed().map((stored): Judged => {
    const { kind, name, host, outcome } = stored.verdict;
    return { ...stored, gate: `${kind} ${label(name)} · ${label(hostName(host))}`, standing: standings[outcome] };
  });
  const current = [...Map.groupBy(judged, ({ gate }) => gate).values()].map((own) => own[0]!);
  const failing = current.filter(({ standing }) => standing === 'bad');
  const undecided = current.filter(({ standing }) => standing === 'unsure');
  return {
    file: 'gates.html',
    title: 'Gates and comparisons',
    verdict:
      failing.length > 0
        ? `${failing.length} of ${current.length} failing`
        : undecided.length > 0
          ? `${undecided.length} of ${current.length} undecided`
          : 'All pass',
    standing: failing.length > 0 ? 'bad' : undecided.length > 0 ? 'unsure' : 'good',
    answer: `Gates and comparisons whose latest verdict counts, machine by machine: ${current.length}. Verdicts stored: ${judged.length}.`,
    sections: [
      historySection(judged),
      latestSection(current),
      ...notPassed(judged),
      { id: 'verdicts', title: 'All verdicts', parts: [verdictTable('All verdicts, latest first', judged)] },
    ],
  };
}

function historySection(judged: readonly Judged[]): Section {
  const gates = [...new Set(judged.map(({ gate }) => gate))];
  const latest = new Set(gates.slice(0, mostGates));
  const drawn = judged.filter(({ gate }) => latest.has(gate));
  const marks = drawn.map(({ gate: name, standing, verdict: { startedAt: time, outcome, summary } }) => ({
    name,
    time,
    standing,
    label: `${name}, ${time.slice(0, 16)}: ${outcome}. ${label(summary, 200)}`,
  }));
  const count = (wanted: Standing) => drawn.filter(({ standing }) => standing === wanted).length;
  const chart: Chart = {
    kind: 'chart',
    id: 'outcomes',
    title: 'Outcomes over time',
    summary: `${count('good')} passed, ${count('bad')} failed, ${count('unsure')} undecided.${gates.length > mostGates ? ` The chart shows ${mostGates} of ${gates.length} gates, those judged last.` : ''}`,
    spec: outcomesChart({ title: 'Outcomes over time', marks }),
    table: verdictTable('Outcomes', drawn),
  };
  return { id: 'history', title: 'History', parts: [chart] };
}

function latestSection(current: readonly Judged[]): Section {
  return {
    id: 'latest',
    title: 'Latest verdicts',
    lead: 'One for each gate and machine. “Undecided” covers inconclusive, incomplete and incomparable: no regression was shown, and none was ruled out.',
    parts: [verdictTable('Latest verdicts', current)],
  };
}

function verdictTable(title: string, judged: readonly Judged[]): Table {
  return {
    kind: 'table',
    title,
    columns: [
      { title: 'gate', wraps: true },
      { title: 'started' },
      { title: 'outcome' },
      ...numeric('comparisons'),
      { title: 'base' },
      { title: 'summary' },
    ],
    rows: judged.map(({ gate, standing, verdict: { startedAt, outcome, comparisons, base, summary } }): TableCell[] => [
      ...words(gate, startedAt.slice(0, 16)),
      { text: outcome, standing },
      figureCell(comparisons.length, String),
      ...words(label(base), label(summary, 300)),
    ]),
  };
}

/** Single comparisons that did not pass, the latest first. */
function notPassed(judged: readonly Judged[]): Section[] {
  const all = judged.flatMap(({ gate, verdict: { startedAt, comparisons } }) =>
    comparisons.filter(({ outcome }) => standings[outcome] !== 'good').map((comparison) => ({ gate, startedAt, comparison })),
  );
  if (all.length === 0) return [];
  const shown = all.slice(0, mostComparisons);
  return [
    {
      id: 'comparisons',
      title: 'What did not pass',
      ...(shown.length < all.length && { lead: `The latest ${shown.length} of ${all.length} comparisons.` }),
      parts: [
        {
          kind: 'table',
          title: 'Comparisons that did not pass, latest first',
          columns: ['cell', 'metric', 'base → new', 'change', 'margin', 'outcome', 'started', 'gate'].map((title) => ({
            title,
            wraps: title === 'cell' || title === 'gate',
          })),
          rows: shown.map(({ gate, startedAt, comparison }): TableCell[] => [
            ...words(label(comparison.cell, 120), metricNames[comparison.metric], baseToNew(comparison)),
            ...words(comparison.effect === null ? '' : changeText(comparison.effect), marginText(comparison.margin)),
            { text: outcomeText(comparison), standing: standingOf(comparison) },
            ...words(startedAt.slice(0, 16), gate),
          ]),
        },
      ],
    },
  ];
}
