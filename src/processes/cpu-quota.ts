import { availableParallelism, cpus } from 'node:os';
import { posix } from 'node:path';
import { allowedCount } from './allowed-processors.ts';
import { controlGroups, readText } from './control-groups.ts';
import type { ReadText } from './control-groups.ts';

/** The processor time that a control group may take: a quota in every period (cpu.max of version 2, cpu.cfs_* of version 1). */
export interface CpuQuota {
  /** The group's folder. */
  readonly folder: string;
  readonly version: 'v1' | 'v2';
  /** Processors' worth of time: quota / period. */
  readonly cpus: number;
}

/** The quotas of this process's group and its ancestors, which bind it too; those that set none are left out. */
export function cpuQuotas(read: ReadText = readText): CpuQuota[] {
  const groups = controlGroups(read);
  if (groups === undefined) return [];
  const { version } = groups;
  return groups.folders('cpu').flatMap((folder) => {
    const [allowed, period] =
      version === 'v2'
        ? (read(posix.join(folder, 'cpu.max')) ?? '').split(/\s+/)
        : [read(posix.join(folder, 'cpu.cfs_quota_us')), read(posix.join(folder, 'cpu.cfs_period_us'))];
    // "max", and −1 in version 1, set none.
    const share = Number(allowed || Number.NaN) / Number(period || Number.NaN);
    return share > 0 && Number.isFinite(share) ? [{ folder, version, cpus: share }] : [];
  });
}

/** The smallest of them; undefined where there is none. */
export function tightest(quotas: readonly CpuQuota[]): CpuQuota | undefined {
  return quotas.toSorted((a, b) => a.cpus - b.cpus)[0];
}

/** Processors' worth of time that this process can have: those that it may run on, or what a quota leaves of them, such as 1.5. */
export function processorShare(read: ReadText = readText): number {
  const quota = tightest(cpuQuotas(read));
  // Node counts a quota as well, but rounds it down, and multiplies it by the group's weight.
  if (quota === undefined) return availableParallelism();
  return Math.min(quota.cpus, cpus().length, allowedCount(read('/proc/self/status') ?? ''));
}

/**
 * Threads that a quota feeds, one at least: more of them use it up early in every period, and are all stopped until the next. Undefined
 * where there is no quota: runtimes count the processors that they may run on themselves.
 */
export function quotaThreads(read?: ReadText): number | undefined {
  return cpuQuotas(read).length === 0 ? undefined : Math.max(1, Math.floor(processorShare(read)));
}

/** Threads that compute at once. */
export function threadCount(): number {
  return quotaThreads() ?? availableParallelism();
}

/** Variables that runtimes take their threads from; the last is for workers of attnswap's own, whose runtimes read none. */
const threadVariables = ['OMP_NUM_THREADS', 'TF_NUM_INTRAOP_THREADS', 'ATTNSWAP_QUOTA_THREADS'];

/** The variables by which runtimes start no more threads than a quota feeds; none where there is no quota. */
export function threadSettings(read?: ReadText): Readonly<Record<string, string>> {
  const threads = quotaThreads(read);
  return threads === undefined ? {} : Object.fromEntries(threadVariables.map((name) => [name, String(threads)]));
}
