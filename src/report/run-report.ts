import { digits, percent, size, time } from '../text/figures.ts';
import type { RunRecord } from '../contract/run.ts';
import { hostLine } from '../verdict/host-line.ts';
import { clip } from '../text/layout.ts';
import { oneLine } from '../text/untrusted.ts';
import { methodsSection, reproduceSection } from './closing-sections.ts';
import { reportSchemaName } from './document.ts';
import type { Report, Section, Standing } from './document.ts';
import { nameOf } from './cell-facts.ts';
import { hostSection, noiseAlerts } from './host-section.ts';
import { dispatchSection } from './run/dispatch-section.ts';
import { measuredCells, settingGroups } from './run/measured-cell.ts';
import type { MeasuredCell, SettingGroup } from './run/measured-cell.ts';
import { ratesSection } from './run/rates-section.ts';
import { resultsSection, workSection } from './run/results-section.ts';
import { runTiles } from './run/run-tiles.ts';
import { samplesSection } from './run/samples-section.ts';
import { scalingSection } from './run/scaling-section.ts';
import { tradeOffSection } from './run/trade-off-section.ts';
import { wasteSection } from './run/waste-section.ts';

/** The report of a run: what was measured, what it says, and all that is behind it. */
export function runReport(run: RunRecord): Report {
  const cells = measuredCells(run);
  const groups = settingGroups(cells);
  const timed = timedCells(groups);
  const sections: Array<Section | undefined> = [
    scalingSection(groups),
    tradeOffSection(groups),
    wasteSection(groups),
    workSection(groups),
    ratesSection(groups, run),
    resultsSection(cells),
    samplesSection(cells),
    dispatchSection(groups),
    hostSection(run.host, run.warnings, run.cells),
    methodsSection(['latency', 'memory', 'waste', 'missed', 'error', 'growth']),
    reproduceSection([run.command]),
  ];
  return {
    schema: reportSchemaName,
    kind: 'run',
    title: `Run of the suite ${clip(oneLine(run.suite.name), 200)}`,
    verdict: verdictOf(cells, timed),
    standing: standingOf(run, cells),
    tiles:
      timed.length === 0
        ? []
        : runTiles(
            fastestOf(timed),
            timed.find(({ cell }) => nameOf(cell) === run.suite.reference),
          ),
    answer: answerOf(run, timed),
    alerts: [...alertsOf(run, cells), ...noiseAlerts(run.warnings)],
    facts: [
      { term: 'measured', text: `${run.startedAt}${run.endedAt === null ? ', not finished' : ` to ${run.endedAt}`}` },
      { term: 'host', text: hostLine(run.host) },
      { term: 'cells', text: `${cells.filter(({ cell }) => cell.status === 'ok').length} measured of ${run.declared.length} declared` },
      { term: 'tool', text: `attnswap ${clip(oneLine(run.tool.version), 50)}, suite ${run.suite.sha256.slice(0, 12)}` },
    ],
    sections: sections.filter((section) => section !== undefined),
  };
}

function standingOf(run: RunRecord, cells: readonly MeasuredCell[]): Standing {
  if (cells.some(({ cell }) => ['mismatch', 'failed', 'timed-out'].includes(cell.status))) return 'bad';
  return run.complete && cells.every(({ cell }) => cell.status === 'ok') ? 'plain' : 'unsure';
}

/** Whatever makes the run less than whole, first. */
function alertsOf(run: RunRecord, cells: readonly MeasuredCell[]): string[] {
  const left = run.declared.length - cells.length;
  const byStatus = Map.groupBy(
    cells.filter(({ cell }) => cell.status !== 'ok'),
    ({ cell }) => cell.status,
  );
  const count = (steady: boolean | null) =>
    cells.filter(({ cell }) => cell.status === 'ok' && cell.latency?.warmup.steady === steady).length;
  const [unsteady, untold] = [count(false), count(null)];
  return [
    ...(left > 0
      ? [`Partial: ${left} of ${run.declared.length} declared cells were not measured. attnswap bench --resume continues the run.`]
      : []),
    ...(!run.complete && left <= 0 ? ['Partial: the run was interrupted.'] : []),
    ...[...byStatus].map(
      ([status, own]) =>
        `${own.length} of ${cells.length} cells: ${status}. ${list(own.map(({ name, length, cell }) => `${name} at ${length} tokens: ${clip(oneLine(cell.reason ?? 'no reason given'), 300)}`))}`,
    ),
    ...(unsteady > 0 ? [`${unsteady} of ${cells.length} cells did not reach a steady state; treat their latency with caution.`] : []),
    ...(untold > 0 ? [`${untold} of ${cells.length} cells have too few samples to tell whether their latency is steady.`] : []),
  ];
}

function list(texts: readonly string[]): string {
  const shown = texts.slice(0, 3).join('; ');
  return texts.length > 3 ? `${shown}; and ${texts.length - 3} more.` : `${shown}.`;
}

/** The cells at the greatest length that was timed, of the first setting that has any. */
function timedCells(groups: readonly SettingGroup[]): MeasuredCell[] {
  const ofGroup = groups.map((group) => group.cells.filter(({ medianNs }) => medianNs !== undefined)).find((own) => own.length > 0) ?? [];
  const greatest = Math.max(...ofGroup.map(({ length }) => length));
  return ofGroup.filter(({ length }) => length === greatest);
}

function fastestOf(timed: readonly MeasuredCell[]): MeasuredCell {
  return timed.reduce((best, each) => (each.medianNs! < best.medianNs! ? each : best));
}

function verdictOf(cells: readonly MeasuredCell[], timed: readonly MeasuredCell[]): string {
  if (cells.length === 0) return 'Nothing was measured';
  if (timed.length === 0) return `None of ${cells.length} cells could be timed`;
  const { name, length, medianNs } = fastestOf(timed);
  return timed.length === 1
    ? `At ${length} tokens ${name} takes ${time(medianNs!)}`
    : `At ${length} tokens, ${name} is the fastest of ${timed.length} kernels`;
}

/** By how much the fastest kernel is faster, at what price, and which needs the least memory. */
function answerOf({ suite }: RunRecord, timed: readonly MeasuredCell[]): string {
  if (timed.length === 0) return '';
  const fastest = fastestOf(timed);
  const missed = fastest.waste?.overall.missedMass?.value;
  const gain =
    fastest.speedUp === null || fastest.speedUp <= 1
      ? ''
      : `, ${digits(fastest.speedUp)}× as fast as ${clip(oneLine(suite.reference), 60)}`;
  const price =
    missed === undefined
      ? ''
      : missed > 0.0005
        ? ` It misses ${percent(missed)} of dense attention’s mass on these inputs.`
        : ' It sees all of dense attention’s mass.';
  const least = timed.filter(({ peakBytes }) => peakBytes !== undefined).toSorted((a, b) => a.peakBytes! - b.peakBytes!)[0];
  const who = least === fastest ? 'It also' : least?.name;
  const memory = least === undefined || timed.length === 1 ? '' : ` ${who} needs the least memory: ${size(least.peakBytes!)}.`;
  return `${fastest.name} takes ${time(fastest.medianNs!)} per call${gain}.${price}${memory}`;
}
