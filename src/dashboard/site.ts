import { storedVerdicts } from '../store/read.ts';
import { timedRuns } from '../store/timed-runs.ts';
import { label } from '../report/comparison/wording.ts';
import { figureCell, numeric } from '../report/document.ts';
import type { PageLink, Report, Section, TableCell } from '../report/document.ts';
import { plainTile } from '../report/tiles.ts';
import { acrossMachinesSection, ratiosOf } from './across-machines.ts';
import type { MachineRatio } from './across-machines.ts';
import { cellsPage } from './cells-page.ts';
import { changesTable } from './changes.ts';
import { gatesPage } from './gates-page.ts';
import { machinePage } from './machine-page.ts';
import { machinesOf } from './machines.ts';
import type { Machine } from './machines.ts';
import { pageReport } from './page.ts';
import type { Page } from './page.ts';

/** Changes that the first page lists; each machine's page has all of its own. */
const mostChanges = 20;

/** The pages of a store, by file name. @throws FILE_UNREADABLE where it has no runs; INVALID_STORE, INVALID_RUN, INVALID_VERDICT */
export async function siteOf(store: string): Promise<ReadonlyMap<string, Report>> {
  const machines = await machinesOf(await timedRuns(store));
  const verdicts = await storedVerdicts(store);
  const ratios = ratiosOf(machines);
  const gates = verdicts.length === 0 ? undefined : gatesPage(verdicts);
  const pages = [
    overviewPage(machines, gates),
    ...(ratios.length === 0 ? [] : [ratiosPage(ratios)]),
    ...(gates === undefined ? [] : [gates]),
    cellsPage(machines),
    ...machines.map(machinePage),
  ];
  const links = linksOf(pages);
  return new Map(pages.map((page) => [page.file, pageReport(page, links)]));
}

/** Every page but those of the machines, which the first one lists. */
function linksOf(pages: readonly Page[]): PageLink[] {
  return pages.filter(({ file }) => !file.startsWith('machine-')).map(({ file, title }) => ({ title, href: file }));
}

function overviewPage(machines: readonly Machine[], gates: Page | undefined): Page {
  const changes = machines.flatMap(({ history }) => history.changes);
  const changed = machines.filter(({ history }) => history.changes.length > 0).length;
  const runs = machines.reduce((sum, machine) => sum + machine.runs.length, 0);
  const cells = machines.reduce((sum, machine) => sum + machine.runs.reduce((own, { stored }) => own + stored.cells, 0), 0);
  const latest = changes.toSorted((a, b) => b.after.localeCompare(a.after))[0];
  return {
    file: 'index.html',
    title: 'Overview',
    verdict:
      changes.length === 0
        ? 'No change in latency found'
        : `${changes.length} change${changes.length === 1 ? '' : 's'} in latency, on ${changed} of ${machines.length} machines`,
    standing: 'plain',
    tiles: [
      plainTile(
        'Measured',
        `on ${machines.length} machine${machines.length === 1 ? '' : 's'}`,
        `${runs} run${runs === 1 ? '' : 's'}`,
        `${cells} cells`,
      ),
      latest === undefined
        ? plainTile('Latest change', '', 'none')
        : plainTile(
            'Latest change',
            label(latest.cell),
            latest.after.slice(0, 10),
            `${latest.change > 0 ? 'slower' : 'faster'}, to ${Number((latest.afterNs / latest.beforeNs).toPrecision(3))}× the latency before`,
          ),
      gates === undefined
        ? plainTile('Gates', '', 'no verdicts stored')
        : { ...plainTile('Gates', '', gates.verdict), standing: gates.standing },
    ],
    answer: '',
    sections: [machinesSection(machines), ...(changes.length === 0 ? [] : [changesSection(machines, changes.length)])],
  };
}

function machinesSection(machines: readonly Machine[]): Section {
  return {
    id: 'machines',
    title: 'Machines',
    lead: 'Each machine has a page with its history, latest figures and runs. Records hold no host names: machines are told apart by their fingerprints.',
    parts: [
      {
        kind: 'table',
        title: 'Machines, latest run first',
        columns: [{ title: 'machine' }, { title: 'latest run' }, ...numeric('runs', 'changes'), { title: 'suites' }],
        rows: machines.map(({ name, page, runs, history, suites }): TableCell[] => [
          { text: name, href: page },
          { text: runs.at(-1)!.startedAt.slice(0, 16) },
          figureCell(runs.length, String),
          figureCell(history.changes.length, String),
          { text: suites.map((suite) => suite.name).join(', ') },
        ]),
      },
    ],
  };
}

function changesSection(machines: readonly Machine[], count: number): Section {
  const table = changesTable(machines);
  return {
    id: 'changes',
    title: 'Changes',
    lead: `Cells whose latency moved to another level that held for at least three runs, and the two runs between which it happened.${count > mostChanges ? ` The latest ${mostChanges} of ${count}; each machine’s page has its own.` : ''}`,
    parts: [{ ...table, rows: table.rows.slice(0, mostChanges) }],
  };
}

function ratiosPage(ratios: readonly MachineRatio[]): Page {
  const machines = new Set(ratios.map(({ machine }) => machine)).size;
  return {
    file: 'ratios.html',
    title: 'Across machines',
    verdict: `${machines} machine${machines === 1 ? '' : 's'} side by side, not ranked`,
    standing: 'plain',
    answer: '',
    sections: [acrossMachinesSection(ratios)],
  };
}
