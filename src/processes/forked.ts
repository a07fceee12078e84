/** Workers that were forked for this process elsewhere: they lead groups of their own, and do not stop and go on with this process's. */
export const forkedWorkers = new Set<number>();

/** How the process that computes for this one was started; nothing where there is none. */
export function workersOf(pid: number | undefined): { readonly workers?: 'forked' | 'fresh' } {
  return pid === undefined ? {} : { workers: forkedWorkers.has(pid) ? 'forked' : 'fresh' };
}

/** Signals a process and what it started where it is such a worker; any other may be a service that others use, too. */
export function signalForked(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined || !forkedWorkers.has(pid)) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // Gone already: the next question tells.
  }
}
