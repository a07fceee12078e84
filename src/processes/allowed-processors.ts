interface Range {
  readonly first: number;
  readonly last: number;
}

/** The list of /proc/self/status, such as `0-3,8`, which affinity and cpusets decide; all where it has none. */
function rangesIn(status: string): Range[] {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? '0-';
  return list.split(',').map((range) => {
    const [first = '', last = first] = range.split('-');
    return { first: Number(first), last: last === '' ? Infinity : Number(last) };
  });
}

/** Whether the process with this /proc/PID/status may run on a processor. */
export function allowedProcessors(status: string): (processor: number) => boolean {
  const ranges = rangesIn(status);
  return (processor) => ranges.some(({ first, last }) => processor >= first && processor <= last);
}

/** On how many; those that are not there are listed, too. */
export function allowedCount(status: string): number {
  return rangesIn(status).reduce((sum, { first, last }) => sum + last - first + 1, 0);
}
