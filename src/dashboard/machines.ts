import { createHash } from 'node:crypto';
import { latencyHistory, seriesOfHosts } from '../compare/latency-history.ts';
import type { Series } from '../compare/latency-history.ts';
import { fingerprintOf } from '../compare/baseline.ts';
import type { RunRecord } from '../contract/run.ts';
import { numbered } from '../report/comparison/column-names.ts';
import { label } from '../report/comparison/wording.ts';
import { hostName } from '../store/host.ts';
import { runOf } from '../store/read.ts';
import type { TimedStoredRun } from '../store/timed-runs.ts';

/** A suite on a machine: its latest run that is whole, or the latest at all, and all of its runs in order. */
export interface MachineSuite {
  readonly name: string;
  readonly latest: RunRecord;
  readonly latestRun: TimedStoredRun;
  readonly runs: readonly TimedStoredRun[];
}

/** A machine as the dashboard shows it. */
export interface Machine {
  /** Unique: processor, cores, GPUs, and the fingerprint's first digits. */
  readonly name: string;
  /** The file of its page. */
  readonly page: string;
  /** Oldest first. */
  readonly runs: readonly TimedStoredRun[];
  readonly history: Series;
  readonly suites: readonly MachineSuite[];
}

/** The machines of all runs, the one with the latest run first. @throws INVALID_STORE, INVALID_RUN */
export async function machinesOf(runs: readonly TimedStoredRun[]): Promise<Machine[]> {
  const series = seriesOfHosts(runs).toSorted((a, b) => b.at(-1)!.startedAt.localeCompare(a.at(-1)!.startedAt));
  const names = numbered(series.map((own) => machineName(own.at(-1)!)));
  const pages = numbered(series.map((own) => pageName(own.at(-1)!)));
  const machines: Machine[] = [];
  for (const [index, own] of series.entries()) {
    const suites = await suitesOf(own);
    machines.push({
      name: names[index]!,
      page: `${pages[index]!.replaceAll(/[^\w-]/g, '-')}.html`,
      runs: own,
      history: latencyHistory(own),
      suites,
    });
  }
  return machines;
}

async function suitesOf(runs: readonly TimedStoredRun[]): Promise<MachineSuite[]> {
  const suites: MachineSuite[] = [];
  for (const [name, own] of Map.groupBy(runs, ({ stored }) => stored.suite)) {
    const latestRun = own.findLast(({ stored }) => stored.complete) ?? own.at(-1)!;
    suites.push({ name: label(name), latest: await runOf(latestRun.stored), latestRun, runs: own });
  }
  return suites;
}

function machineName({ host }: TimedStoredRun): string {
  const digits = fingerprintOf({ host }).slice(0, 6);
  return `${label(hostName(host), 50)}${digits === '' ? '' : ` (${label(digits)})`}`;
}

/** A record may hold anything for a fingerprint: a file's name is made of its hash. */
function pageName({ host }: TimedStoredRun): string {
  return `machine-${createHash('sha256').update(fingerprintOf({ host })).digest('hex').slice(0, 12)}`;
}
