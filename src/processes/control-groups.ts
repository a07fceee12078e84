import { readFileSync } from 'node:fs';
import { posix } from 'node:path';

/** A file's text, or undefined where it cannot be read. */
export type ReadText = (path: string) => string | undefined;

export const readText: ReadText = (path) => {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
};

export type Controller = 'cpu' | 'memory';

/** The control groups that bind this process, by the folders that hold their files. */
export interface ControlGroups {
  readonly version: 'v1' | 'v2';
  /** Of a controller: this process's own group, then its ancestors up to the root. */
  folders(controller: Controller): readonly string[];
}

const root = '/sys/fs/cgroup';

/**
 * Version 2 where the unified hierarchy carries controllers, else version 1 (cgroups(7)); undefined where there are none. Inside a container the
 * path in /proc/self/cgroup may be the host's, and not visible: of its folders only the mount's root is then there.
 */
export function controlGroups(read: ReadText): ControlGroups | undefined {
  const groups = (read('/proc/self/cgroup') ?? '').split('\n').map((line) => line.split(':'));
  const pathOf = (controller: string) =>
    groups
      .find(([, names = '']) => names.split(',').includes(controller))
      ?.slice(2)
      .join(':') ?? '/';
  if (read(posix.join(root, 'cgroup.controllers')) !== undefined) return { version: 'v2', folders: () => foldersUp(root, pathOf('')) };
  if (groups.length < 2) return undefined;
  return { version: 'v1', folders: (controller) => foldersUp(posix.join(root, controller), pathOf(controller)) };
}

/** A group of another namespace begins with `/..`: of that nothing is visible either. */
function foldersUp(mount: string, group: string): string[] {
  const parts = posix
    .normalize(`/${group}`)
    .split('/')
    .filter((part) => part !== '');
  return Array.from({ length: parts.length + 1 }, (_, up) => posix.join(mount, ...parts.slice(0, parts.length - up)));
}
