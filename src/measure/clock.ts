/** A monotonic clock. Tests hand in a scripted one. */
export interface Clock {
  /** Nanoseconds since some fixed moment. */
  nowNs(): number;
  /** The smallest step that the clock was seen to make, nanoseconds. */
  readonly tickNs: number;
}

/** `process.hrtime`, counted from the moment of this call, as a double holds whole nanoseconds only up to 104 days. */
export function systemClock(): Clock {
  const origin = process.hrtime.bigint();
  const nowNs = () => Number(process.hrtime.bigint() - origin);
  return { nowNs, tickNs: measureTickNs(nowNs) };
}

/**
 * The smallest step between two readings: an upper bound of the clock's resolution where a reading takes longer than a
 * tick (hrtime on Linux: about 50 ns, of which the tick is 1), and exact where the clock is coarse. Gives up after a
 * million readings without a step.
 */
export function measureTickNs(nowNs: () => number): number {
  let tick = Infinity;
  let last = nowNs();
  for (let readings = 0, steps = 0; readings < 1e6 && steps < 100; readings++) {
    const now = nowNs();
    if (now === last) continue;
    tick = Math.min(tick, now - last);
    last = now;
    steps++;
  }
  return tick;
}
