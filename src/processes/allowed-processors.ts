import { cpus } from 'node:os';
import type { ReadText } from './control-groups.ts';

interface Range {
  readonly first: number;
  readonly last: number;
}

function rangesIn(list: string): Range[] {
  return list.split(',').map((range) => {
    const [first = '', last = first] = range.split('-');
    return { first: Number(first), last: last === '' ? Infinity : Number(last) };
  });
}

/** Whether the process with this /proc/PID/status may run on a processor: its list, such as `0-3,8`, follows affinity and cpusets; all where it has none. */
export function allowedProcessors(status: string): (processor: number) => boolean {
  const ranges = rangesIn(/^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? '0-');
  return (processor) => ranges.some(({ first, last }) => processor >= first && processor <= last);
}

const folder = '/sys/devices/system/cpu';

/** Processors that are there and that this process may run on, on Linux. */
export function usableProcessors(read: ReadText): number[] {
  const isAllowed = allowedProcessors(read('/proc/self/status') ?? '');
  const online = rangesIn(read(`${folder}/online`) || `0-${Math.max(1, cpus().length) - 1}`);
  return online
    .flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, place) => first + place))
    .filter((processor) => isAllowed(processor));
}

/** The cores that they belong to: threads of one core (SMT) count once, where the system tells. */
export function usableCores(read: ReadText): number {
  const siblings = usableProcessors(read).map(
    (processor) => read(`${folder}/cpu${processor}/topology/thread_siblings_list`) ?? String(processor),
  );
  return new Set(siblings).size;
}
