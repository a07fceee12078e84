import { posix } from 'node:path';
import { controlGroups } from '../processes/control-groups.ts';
import type { ReadText } from '../processes/control-groups.ts';
import { cpuQuotas, tightest } from '../processes/cpu-quota.ts';
import type { ContainerLimits } from './host-schema.ts';

/** The tightest CPU and memory limit on the path from this process's control group to the root: a group is bound by its ancestors' limits too. */
export function containerLimits(read: ReadText): ContainerLimits {
  const groups = controlGroups(read);
  if (groups === undefined) return { cgroup: null, cpus: null, memoryBytes: null };
  const file = groups.version === 'v2' ? 'memory.max' : 'memory.limit_in_bytes';
  const limits = groups.folders('memory').map((folder) => Number(read(posix.join(folder, file)) ?? Number.NaN));
  // Version 1 writes «no limit» as the largest multiple of a page; nothing above an exbibyte is a limit.
  const set = limits.filter((bytes) => bytes > 0 && bytes < 2 ** 60);
  return {
    cgroup: groups.version,
    cpus: tightest(cpuQuotas(read))?.cpus ?? null,
    memoryBytes: set.length === 0 ? null : Math.min(...set),
  };
}
