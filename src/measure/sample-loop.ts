import { setImmediate } from 'node:timers/promises';
import { Bench } from 'tinybench';
import type { Clock } from './clock.ts';

/** One call of what is measured: resolves when its result exists. */
export type Call = () => Promise<void>;

/** Nanoseconds of `calls` calls, one after the other. */
export type TimeCalls = (calls: number) => Promise<number>;

/**
 * Times awaited calls by a clock of this process. Nothing but the calls, their awaits (about 0.1 µs each) and one reading of
 * the clock lies inside the timed region.
 */
export function timedBy(clock: Clock, call: Call): TimeCalls {
  return async (calls) => {
    const start = clock.nowNs();
    for (let done = 0; done < calls; done++) await call();
    return clock.nowNs() - start;
  };
}

export interface SampleLoop {
  readonly clock: Clock;
  /** Takes one sample; resolves to its duration per call, nanoseconds. */
  sample(): Promise<number>;
  /** Asked after every sample, outside the timed region. */
  done(): boolean;
}

/**
 * Runs a tinybench task whose iterations are samples, until `done`. tinybench drives the loop, the hooks, the abort and
 * the passing on of errors. It does not time: it shows no sample before the run has ended, sorts them then, and stops on
 * time or count alone, whereas a stop rule needs every sample at once and a drift shows only in their order. So `sample`
 * times its batch and hands the figure over as `overriddenDuration`; `async: true` spares the call that detection costs.
 * @throws whatever `sample` throws
 */
export async function runSampleLoop({ clock, sample, done }: SampleLoop): Promise<void> {
  const stop = new AbortController();
  const bench = new Bench({ now: () => clock.nowNs() / 1e6, warmup: false, iterations: 0, time: Infinity, throws: true });
  bench.add('cell', async () => ({ overriddenDuration: (await sample()) / 1e6 }), {
    async: true,
    signal: stop.signal,
    // Between samples the event loop turns: finalizers, timers and device callbacks run here instead of inside a sample.
    beforeEach: () => setImmediate(),
    afterEach: () => {
      if (done()) stop.abort();
    },
  });
  await bench.run();
}
