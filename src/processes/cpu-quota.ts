import { availableParallelism } from 'node:os';
import { posix } from 'node:path';
import { usableCores, usableProcessors } from './allowed-processors.ts';
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
  return Math.min(quota.cpus, usableProcessors(read).length);
}

/** Threads that compute at once: those that a quota feeds, one at least. More of them use it up early in every period, and are all stopped until the next. */
export function threadCount(read?: ReadText): number {
  return Math.max(1, Math.floor(processorShare(read)));
}

/**
 * The threads that a quota leaves to a runtime which by itself takes one per core, or one per processor; undefined where it leaves it that many.
 * What a runtime takes anyway is better not set: ONNX Runtime binds threads to cores only if it chose their number.
 */
export function quotaThreads(per: 'core' | 'processor', read: ReadText = readText): number | undefined {
  if (cpuQuotas(read).length === 0) return undefined;
  const usual = per === 'core' ? usableCores(read) : usableProcessors(read).length;
  const fed = threadCount(read);
  return fed < usual ? fed : undefined;
}

/**
 * The variables by which runtimes start no more threads than a quota feeds; none where they would not anyway. OMP_NUM_THREADS is for PyTorch, which
 * takes one per core or per processor, as it was built; the other for workers of attnswap's own whose runtimes read no variable, and take one per core.
 * TensorFlow's follows `--threads`, too, and is set where it is loaded.
 */
export function threadSettings(read: ReadText = readText): Readonly<Record<string, string>> {
  const [ofCores, ofProcessors] = [quotaThreads('core', read), quotaThreads('processor', read)];
  return {
    ...(ofProcessors !== undefined && { OMP_NUM_THREADS: String(Math.min(ofProcessors, usableCores(read))) }),
    ...(ofCores !== undefined && { ATTNSWAP_QUOTA_THREADS: String(ofCores) }),
  };
}
