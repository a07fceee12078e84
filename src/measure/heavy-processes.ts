import { readFileSync, readdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { allowedProcessors } from '../processes/allowed-processors.ts';
import { oneLine } from '../text/untrusted.ts';
import type { HeavyProcess } from './host-schema.ts';
import { statFields } from '../processes/proc-stat.ts';

/** A process and the processor time it has used so far, in the unit of its snapshot. */
export interface ProcessTime {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
  readonly time: number;
  /** Of the descendants that it waited for, which are in no list any more. */
  readonly reapedTime: number;
}

/** Of the processors that this process may run on. */
export interface ProcessSnapshot {
  readonly processors: number;
  /** Time that one processor had, idle time included. */
  readonly timePerCore: number;
  /** Time in which processors were busy, or kept from this machine by its host. */
  readonly busyTime: number;
  /** The part of it in which the machine's host kept them. */
  readonly stolenTime: number;
  readonly processes: readonly ProcessTime[];
}

const heavyCores = 0.2;
const watchMs = 250;

/** Processes other than this one and its descendants that keep a fifth of a core busy, over a quarter of a second; the busiest first. */
export async function findHeavyProcesses(): Promise<HeavyProcess[]> {
  if (process.platform !== 'linux') return heavyFromSystem();
  const before = snapshotProcesses();
  await setTimeout(watchMs);
  const after = snapshotProcesses();
  return before && after ? heavyBetween(before, after, process.pid) : [];
}

/** What two snapshots say: a process that is in the second alone has used all its time since. */
export function heavyBetween(before: ProcessSnapshot, after: ProcessSnapshot, self: number): HeavyProcess[] {
  const elapsed = after.timePerCore - before.timePerCore;
  const earlier = new Map(before.processes.map(({ pid, time }) => [pid, time]));
  const ours = descendants(after.processes, self);
  return after.processes
    .filter(({ pid }) => !ours.has(pid))
    .map(({ pid, name, time }) => ({ pid, name, cores: Math.round((100 * (time - (earlier.get(pid) ?? 0))) / elapsed) / 100 }))
    .filter(({ cores }) => cores >= heavyCores)
    .toSorted((a, b) => b.cores - a.cores);
}

/**
 * Processors that all but this process and its descendants kept busy between two snapshots, time stolen by other guests included; 0 where no tick
 * lies between them.
 */
export function othersBetween(before: ProcessSnapshot, after: ProcessSnapshot, self: number): number {
  const own = ownTime(before, after, self);
  return Math.max(
    0,
    coresBetween(before, after, (snapshot) => snapshot.busyTime - own(snapshot)),
  );
}

/** Processors that this process and its descendants kept busy. */
export function ownBetween(before: ProcessSnapshot, after: ProcessSnapshot, self: number): number {
  return coresBetween(before, after, ownTime(before, after, self));
}

function ownTime(before: ProcessSnapshot, after: ProcessSnapshot, self: number): (of: ProcessSnapshot) => number {
  // Those of both: one that ended is counted in the time of its parent.
  const ours = new Set([before, after].flatMap(({ processes }) => [...descendants(processes, self)]));
  return ({ processes }) => processes.reduce((sum, { pid, time, reapedTime }) => sum + (ours.has(pid) ? time + reapedTime : 0), 0);
}

/** Processors that the machine's host kept for other guests. */
export function stolenBetween(before: ProcessSnapshot, after: ProcessSnapshot): number {
  return coresBetween(before, after, ({ stolenTime }) => stolenTime);
}

function coresBetween(before: ProcessSnapshot, after: ProcessSnapshot, time: (of: ProcessSnapshot) => number): number {
  const elapsed = after.timePerCore - before.timePerCore;
  return elapsed > 0 ? (time(after) - time(before)) / elapsed : 0;
}

/** Undefined where the system does not tell. @param folder what is mounted at /proc */
export function snapshotProcesses(folder = '/proc'): ProcessSnapshot | undefined {
  try {
    return process.platform === 'linux' ? readProcesses(folder) : undefined;
  } catch {
    return undefined;
  }
}

function descendants(all: readonly { readonly pid: number; readonly parent: number }[], self: number): Set<number> {
  const found = new Set([self]);
  for (let size = 0; size < found.size;) {
    size = found.size;
    for (const { pid, parent } of all) if (found.has(parent)) found.add(pid);
  }
  return found;
}

/** From /proc, proc(5): systeminformation starts a program for every process to read the same, and forgets nothing for half a second. */
function readProcesses(folder = '/proc'): ProcessSnapshot {
  const isAllowed = allowedProcessors(readFileSync(`${folder}/self/status`, 'utf8'));
  // user, nice, system, idle, iowait, irq, softirq, steal: guest time is within user time.
  const cores = readFileSync(`${folder}/stat`, 'utf8')
    .split('\n')
    .filter((line) => isAllowed(Number(/^cpu(\d+) /.exec(line)?.[1] ?? NaN)))
    .map((line) => line.split(/\s+/).slice(1, 9).map(Number));
  if (cores.length === 0) throw new Error(`${folder}/stat: none of the processors that this process may run on`);
  const ticks = cores.flat().reduce((sum, value) => sum + value, 0);
  const idle = cores.reduce((sum, [, , , resting = 0, waiting = 0]) => sum + resting + waiting, 0);
  const pids = readdirSync(folder).filter((name) => /^\d+$/.test(name));
  return {
    processors: cores.length,
    timePerCore: ticks / cores.length,
    busyTime: ticks - idle,
    stolenTime: cores.reduce((sum, times) => sum + (times[7] ?? 0), 0),
    processes: pids.map((pid) => readProcess(`${folder}/${pid}/stat`)).filter((read) => read !== undefined),
  };
}

function readProcess(path: string): ProcessTime | undefined {
  try {
    return parseStat(readFileSync(path, 'utf8'));
  } catch {
    // It ended since the directory was read.
    return undefined;
  }
}

/** A line of /proc/PID/stat. */
export function parseStat(line: string): ProcessTime {
  const [open, close] = [line.indexOf('('), line.lastIndexOf(')')];
  const fields = statFields(line).map(Number);
  const [, parent = 0] = fields;
  const [user = 0, system = 0, reapedUser = 0, reapedSystem = 0] = fields.slice(11);
  const times = { time: user + system, reapedTime: reapedUser + reapedSystem };
  return { pid: Number(line.slice(0, open)), parent, name: oneLine(line.slice(open + 1, close)), ...times };
}

async function heavyFromSystem(): Promise<HeavyProcess[]> {
  const { processes } = await import('systeminformation');
  const { list } = await processes();
  const ours = descendants(
    list.map(({ pid, parentPid }) => ({ pid, parent: parentPid })),
    process.pid,
  );
  // ps on macOS counts 100 % a core; elsewhere systeminformation counts 100 % for the whole machine.
  const perCent = process.platform === 'darwin' ? 1 / 100 : cpus().length / 100;
  return list
    .filter(({ pid, cpu }) => !ours.has(pid) && pid !== 0 && cpu * perCent >= heavyCores)
    .map(({ pid, name, cpu }) => ({ pid, name: oneLine(name), cores: Math.round(100 * cpu * perCent) / 100 }));
}
