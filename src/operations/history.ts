import { fingerprintOf } from '../compare/baseline.ts';
import type { RunRecord } from '../contract/run.ts';
import { compareHosts, groupByHost } from '../measure/same-host.ts';
import { changePoints } from '../statistics/change-points.ts';
import { loadRun } from './load-run.ts';

export interface HistoryOptions {
  /** Paths of run records. */
  readonly runs: readonly string[];
}

/** A change of a cell's latency, between the medians of the runs before and after. */
export interface LatencyChange {
  readonly cell: string;
  readonly before: string;
  readonly after: string;
  readonly beforeNs: number;
  readonly afterNs: number;
  readonly change: number;
}

/** The runs of one host. */
export interface Series {
  readonly fingerprint: string;
  readonly runs: number;
  /** Parts that some runs could not read, so that they do not tell hosts apart. */
  readonly notCompared: readonly string[];
  readonly changes: readonly LatencyChange[];
}

export interface HistoryRecord {
  /** One a host. */
  readonly series: readonly Series[];
}

interface Loaded {
  readonly file: string;
  readonly run: RunRecord;
}

/**
 * Finds where latency changed over stored runs, each host by itself, and between which two runs.
 * @throws FILE_UNREADABLE, INVALID_RUN
 */
export async function history({ runs }: HistoryOptions): Promise<HistoryRecord> {
  const loaded: Loaded[] = [];
  for (const file of runs) loaded.push({ file, run: await loadRun(file) });
  return { series: groupByHost(loaded, ({ run }) => run.host).map(seriesOf) };
}

function seriesOf(loaded: readonly Loaded[]): Series {
  const [first, ...others] = loaded.map(({ run }) => run);
  const notCompared = [...new Set(others.flatMap((run) => compareHosts(first!.host, run.host).unknown))];
  const inOrder = loaded.toSorted((a, b) => a.run.startedAt.localeCompare(b.run.startedAt));
  const cells = [...new Set(inOrder.flatMap(({ run }) => run.cells.map(({ id }) => id)))];
  return {
    fingerprint: fingerprintOf(first!),
    runs: loaded.length,
    notCompared,
    changes: cells.flatMap((cell) => changesOf(cell, inOrder)),
  };
}

function changesOf(cell: string, loaded: readonly Loaded[]): LatencyChange[] {
  const points = loaded.flatMap(({ file, run }) => {
    const medianNs = run.cells.find(({ id }) => id === cell)?.latency?.medianNs;
    return medianNs === undefined ? [] : [{ file, startedAt: run.startedAt, medianNs }];
  });
  const { segments, changes } = changePoints(points.map(({ medianNs }) => Math.log(medianNs)));
  const nameOf = (index: number) => `${points[index]!.startedAt.slice(0, 16)} ${points[index]!.file}`;
  return changes.map(({ before, after }, index) => {
    const [from, to] = [segments[index]!.level, segments[index + 1]!.level];
    const medians = { beforeNs: Math.exp(from), afterNs: Math.exp(to) };
    return { cell, before: nameOf(before), after: nameOf(after), ...medians, change: Math.expm1(to - from) };
  });
}
