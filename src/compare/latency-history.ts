import { groupByHost, compareHosts } from '../measure/same-host.ts';
import { segmentsOf } from '../statistics/change-points.ts';
import { fingerprintOf } from './baseline.ts';

/** A run as its history is told: when and where it was measured, and the latency of each cell. */
export interface TimedRun {
  /** Its file, or its name in the store. */
  readonly file: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly host: unknown;
  /** Nanoseconds by id, of cells that are ok. */
  readonly medians: ReadonlyMap<string, number>;
}

/** A change of a cell's latency, between the medians of the runs before and after. */
export interface LatencyChange {
  readonly cell: string;
  /** The last run before the change: when it began, and its file. */
  readonly before: string;
  /** The first run after it. */
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

/** One figure of a cell in a series, with the level that it belongs to. */
export interface HistoryPoint {
  readonly run: TimedRun;
  readonly medianNs: number;
  /** The median of the runs between two changes. */
  readonly levelNs: number;
  /** Counts levels from 0. */
  readonly level: number;
}

/** Runs by host, each host's in the order in which they were measured. */
export function seriesOfHosts<Run extends TimedRun>(runs: readonly Run[]): Run[][] {
  return groupByHost(runs, ({ host }) => host).map((own) => own.toSorted((a, b) => a.startedAt.localeCompare(b.startedAt)));
}

/** Where the latency of each cell changed over one host's runs, which are in order. */
export function latencyHistory(runs: readonly TimedRun[]): Series {
  const [first, ...others] = runs;
  const notCompared = [...new Set(others.flatMap((run) => compareHosts(first!.host, run.host).unknown))];
  const cells = [...new Set(runs.flatMap(({ medians }) => [...medians.keys()]))];
  const changes = cells.flatMap((cell) => changesIn(cell, historyOf(cell, runs)));
  return { fingerprint: fingerprintOf(first!), runs: runs.length, notCompared, changes };
}

/** A cell's latency over one host's runs, which are in order, cut where its level changes. */
export function historyOf(cell: string, runs: readonly TimedRun[]): HistoryPoint[] {
  const measured = runs.flatMap((run) => {
    const medianNs = run.medians.get(cell);
    // A latency of 0 is a timer too coarse: it has no logarithm.
    return medianNs === undefined || medianNs <= 0 ? [] : [{ run, medianNs }];
  });
  return segmentsOf(measured.map(({ medianNs }) => Math.log(medianNs))).flatMap(({ start, end, level }, index) =>
    measured.slice(start, end).map((point) => ({ ...point, levelNs: Math.exp(level), level: index })),
  );
}

function changesIn(cell: string, points: readonly HistoryPoint[]): LatencyChange[] {
  return points.slice(1).flatMap((after, index) => {
    const before = points[index]!;
    if (before.level === after.level) return [];
    const [beforeNs, afterNs] = [before.levelNs, after.levelNs];
    return [{ cell, before: nameOf(before.run), after: nameOf(after.run), beforeNs, afterNs, change: afterNs / beforeNs - 1 }];
  });
}

function nameOf({ startedAt, file }: TimedRun): string {
  return `${startedAt.slice(0, 16)} ${file}`;
}
