import { dirname, join } from 'node:path';
import type { ContainerLimits } from './host-schema.ts';

/** A file's text, or undefined where it cannot be read. */
export type ReadText = (path: string) => string | undefined;

const root = '/sys/fs/cgroup';

/**
 * The tightest CPU and memory limit on the path from this process's control group to the root: a group is bound by its
 * ancestors' limits too. Version 2 where the unified hierarchy carries controllers, else version 1 (cgroups(7)).
 * Inside a container the path in /proc/self/cgroup may be the host's, and not visible: then the mount's root is the group.
 */
export function containerLimits(read: ReadText): ContainerLimits {
  const groups = (read('/proc/self/cgroup') ?? '').split('\n').map((line) => line.split(':'));
  const pathOf = (controller: string) => groups.find(([, controllers = '']) => controllers.split(',').includes(controller))?.[2];
  if (read(join(root, 'cgroup.controllers')) !== undefined) {
    const group = pathOf('') ?? '/';
    return {
      cgroup: 'v2',
      cpus: lowest(root, group, (at) => cpuMax(read(join(at, 'cpu.max')))),
      memoryBytes: memoryLimit(read, { mount: root, group, file: 'memory.max' }),
    };
  }
  if (groups.length < 2) return { cgroup: null, cpus: null, memoryBytes: null };
  const memory = { mount: join(root, 'memory'), group: pathOf('memory') ?? '/', file: 'memory.limit_in_bytes' };
  return {
    cgroup: 'v1',
    cpus: lowest(join(root, 'cpu'), pathOf('cpu') ?? '/', (at) =>
      quota(read(join(at, 'cpu.cfs_quota_us')), read(join(at, 'cpu.cfs_period_us'))),
    ),
    memoryBytes: memoryLimit(read, memory),
  };
}

function memoryLimit(read: ReadText, { mount, group, file }: { mount: string; group: string; file: string }): number | null {
  // Version 1 writes «no limit» as the largest multiple of a page; nothing above an exbibyte is a limit.
  const bytes = lowest(mount, group, (at) => Number(read(join(at, file)) ?? Number.NaN));
  return bytes !== null && bytes < 2 ** 60 ? bytes : null;
}

/** The least limit of a group and its ancestors; those that set none, or cannot be read, are NaN. */
function lowest(mount: string, group: string, limitAt: (path: string) => number): number | null {
  let least = Infinity;
  for (let path = group; ; path = dirname(path)) {
    const limit = limitAt(join(mount, path));
    if (limit > 0) least = Math.min(least, limit);
    if (path === '/' || path === '.') break;
  }
  return Number.isFinite(least) ? least : null;
}

function cpuMax(text: string | undefined): number {
  const [allowed, period] = (text ?? '').split(' ');
  return quota(allowed, period);
}

function quota(allowed: string | undefined, period: string | undefined): number {
  return Number(allowed ?? Number.NaN) / Number(period ?? Number.NaN);
}
