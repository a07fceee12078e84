import { posix } from 'node:path';
import type { Block } from '../contract/verdict.ts';
import { readText } from '../processes/control-groups.ts';
import type { ReadText } from '../processes/control-groups.ts';
import { cpuQuotas, tightest } from '../processes/cpu-quota.ts';
import type { CpuQuota } from '../processes/cpu-quota.ts';
import { othersBetween, ownBetween, snapshotProcesses, stolenBetween } from './heavy-processes.ts';
import type { ProcessSnapshot } from './heavy-processes.ts';

/** What the control group with the tightest CPU quota on this process has used so far; undefined where the system does not tell. */
export interface QuotaUse {
  /** Processors' worth of time. */
  readonly cpus: number;
  /** Processor time of all processes in the group. */
  readonly usedNs: number | undefined;
  /** For how long threads that could have run were stopped, as a quota was used up, summed over processors; of all groups that bind this process. */
  readonly throttledNs: number | undefined;
}

/** What may keep processors from this process, at one moment. */
export interface Load {
  readonly atNs: number;
  readonly processes: ProcessSnapshot | undefined;
  /** Undefined where there is no quota. */
  readonly quota: QuotaUse | undefined;
}

export function snapshotLoad(): Load {
  return { ...quotaLoad(), processes: snapshotProcesses() };
}

/** Of the quota alone: it is read in a moment. */
export function quotaLoad(): Load {
  return { atNs: Number(process.hrtime.bigint()), processes: undefined, quota: snapshotQuota() };
}

export function snapshotQuota(read: ReadText = readText): QuotaUse | undefined {
  const quotas = cpuQuotas(read);
  const quota = tightest(quotas);
  if (quota === undefined) return undefined;
  const throttled = quotas.flatMap((each) => throttledNs(each, read) ?? []);
  return {
    cpus: quota.cpus,
    usedNs: usedNs(quota, read),
    throttledNs: throttled.length === 0 ? undefined : throttled.reduce((sum, ns) => sum + ns, 0),
  };
}

function throttledNs({ folder, version }: CpuQuota, read: ReadText): number | undefined {
  if (version === 'v1') return statIn(folder, 'throttled_time', read);
  const us = statIn(folder, 'throttled_usec', read);
  return us && 1000 * us;
}

function usedNs({ folder, version }: CpuQuota, read: ReadText): number | undefined {
  if (version === 'v2') {
    const us = statIn(folder, 'usage_usec', read);
    return us && 1000 * us;
  }
  // Mostly mounted together with the controller of quotas.
  const places = [folder, folder.replace('/cgroup/cpu', '/cgroup/cpuacct')];
  const text = places.map((place) => read(posix.join(place, 'cpuacct.usage'))).find((found) => found !== undefined);
  return text === undefined || !/^\d+$/.test(text) ? undefined : Number(text);
}

function statIn(folder: string, name: string, read: ReadText): number | undefined {
  const found = new RegExp(`^${name} (\\d+)$`, 'm').exec(read(posix.join(folder, 'cpu.stat')) ?? '');
  return found === null ? undefined : Number(found[1]);
}

/**
 * Processors that others took from this process between two moments, and processors' worth of time that its quota kept back. Under a quota, others
 * outside of its group take something only once they are on more processors than the quota leaves free; others in the group use up the quota.
 */
export function loadBetween(before: Load, after: Load, self: number): Pick<Block, 'othersCores' | 'throttledCores'> {
  const elapsedNs = after.atNs - before.atNs;
  const [from, to] = [before.quota?.throttledNs, after.quota?.throttledNs];
  const throttled = from === undefined || to === undefined ? {} : { throttledCores: Math.max(0, to - from) / elapsedNs };
  if (before.processes === undefined || after.processes === undefined) return throttled;
  const processes = [before.processes, after.processes] as const;
  const busy = othersBetween(...processes, self);
  if (after.quota === undefined) return { ...throttled, othersCores: busy };
  const { processors } = after.processes;
  const share = Math.min(after.quota.cpus, processors);
  // Other guests of the machine are on each processor alike.
  const stolen = stolenBetween(...processes);
  const used = ((after.quota.usedNs ?? Number.NaN) - (before.quota?.usedNs ?? Number.NaN)) / elapsedNs;
  const inside = Number.isNaN(used) ? 0 : Math.min(busy, Math.max(0, used - ownBetween(...processes, self)));
  const outside = Math.max(0, busy - stolen - inside);
  return { ...throttled, othersCores: inside + (stolen * share) / processors + Math.max(0, outside - (processors - share)) };
}

/** From here on what a quota kept back is told. */
const toldCores = 0.05;

/** What to tell of samples that were taken between two moments. */
export function throttling(before: Load, after: Load): string[] {
  const { throttledCores = 0 } = loadBetween(before, after, process.pid);
  if (throttledCores < toldCores) return [];
  const cores = throttledCores.toFixed(2);
  return [`while it was sampled, the CPU quota kept back ${cores} processors’ worth of time: its latency is that of the quota, too`];
}
