import { readFileSync } from 'node:fs';

/** Ticks per second of /proc: fixed for what user space sees. */
const ticksPerSecond = 100;

/**
 * Time of all processors that a process has used so far, nanoseconds: this one, to the microsecond, or another, to the hundredth of a second
 * (Linux). Undefined where the system does not tell.
 */
export function cpuTimeNs(pid?: number): number | undefined {
  if (pid === undefined || pid === process.pid) {
    const { user, system } = process.cpuUsage();
    return 1000 * (user + system);
  }
  try {
    // The name of the program, in parentheses, may hold anything: what follows its last one is numbers, proc(5).
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [user, system] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 13)
      .map(Number);
    const ns = ((user! + system!) * 1e9) / ticksPerSecond;
    return Number.isFinite(ns) ? ns : undefined;
  } catch {
    return undefined;
  }
}
