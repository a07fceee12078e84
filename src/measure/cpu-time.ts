import { readFileSync, readdirSync } from 'node:fs';
import { statFields } from '../processes/proc-stat.ts';

/** Ticks per second of /proc: fixed for what user space sees. */
const ticksPerSecond = 100;

/**
 * Time of all processors that a process has used so far, nanoseconds: this one, or another (Linux). Undefined where the system does not tell.
 * Another's is the larger of two lower bounds: of the whole process, in hundredths of a second, and of the threads that it has now, exact.
 */
export function cpuTimeNs(pid?: number): number | undefined {
  if (pid === undefined || pid === process.pid) {
    const { user, system } = process.cpuUsage();
    return 1000 * (user + system);
  }
  try {
    return Math.max(processNs(pid), threadsNs(pid));
  } catch {
    return undefined;
  }
}

function processNs(pid: number): number {
  const [user, system] = statFields(readFileSync(`/proc/${pid}/stat`, 'utf8'))
    .slice(11, 13)
    .map(Number);
  return ((user! + system!) * 1e9) / ticksPerSecond;
}

/** 0 where the kernel was built without such figures; a thread that ends meanwhile counts no more. */
function threadsNs(pid: number): number {
  let ns = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      ns += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
    } catch {
      continue;
    }
  }
  return ns;
}
