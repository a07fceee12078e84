import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { median } from '../src/statistics/order-statistics.ts';
import { meanInterval } from '../src/statistics/student.ts';

/** A process that runs what is asked of it and says how long that took, in nanoseconds. */
export interface TimedArm {
  readonly time: (calls: number) => Promise<number>;
  readonly end: () => unknown;
}

/** A Python file of this folder that answers each number of calls on its standard input with their nanoseconds. */
export function bareLoop(python: string, script: string, ...args: readonly string[]): TimedArm {
  const child = spawn(python, [fileURLToPath(new URL(script, import.meta.url)), ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const time = async (calls: number): Promise<number> => {
    child.stdin.write(`${calls}\n`);
    return Number((await lines.next()).value);
  };
  return { time, end: () => child.stdin.end() };
}

export interface PairOptions {
  readonly worker: () => Promise<TimedArm>;
  readonly bare: () => TimedArm;
  /** Pairs of fresh processes: a process keeps its own luck. */
  readonly blocks: number;
  /** In each pair, ABBA and BAAB in turn: a load from outside meets both arms. */
  readonly rounds: number;
  /** Calls in each sample. */
  readonly calls: number;
  /** Samples of each arm that do not count. */
  readonly warmUp: number;
}

/** Times a worker and a bare loop over the same calls, both resident and one active at a time: milliseconds of a call, and the ratio with its 95 % interval over pairs. */
export async function comparePairs(options: PairOptions): Promise<string> {
  const measured: Awaited<ReturnType<typeof onePair>>[] = [];
  for (let block = 0; block < options.blocks; block++) measured.push(await onePair(options));
  const ms = (values: number[]) => `${(median(values) / 1e6).toFixed(2)} ms`;
  const ratios = measured.map(({ ratio }) => ratio);
  const { mean, low, high } = meanInterval(ratios.map(Math.log), 0.025);
  const [ratio, from, to] = [mean, low, high].map((log) => Math.exp(log).toFixed(3));
  return `worker ${ms(measured.map((one) => one.worker))}, bare loop ${ms(measured.map((one) => one.bare))}, ratio ${ratio} [${from}, ${to}] over ${ratios.length} pairs`;
}

async function onePair({ worker, bare, rounds, calls, warmUp }: PairOptions) {
  const arms = { worker: await worker(), bare: bare() };
  const sample = async (arm: keyof typeof arms) => (await arms[arm].time(calls)) / calls;
  for (const arm of ['worker', 'bare'] as const) for (let warm = 0; warm < warmUp; warm++) await sample(arm);
  const ratios: number[] = [];
  const nanoseconds = { worker: [] as number[], bare: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    const sums = { worker: 0, bare: 0 };
    for (const arm of round % 2 === 0 ? (['worker', 'bare', 'bare', 'worker'] as const) : (['bare', 'worker', 'worker', 'bare'] as const)) {
      const time = await sample(arm);
      sums[arm] += time;
      nanoseconds[arm].push(time);
    }
    ratios.push(sums.worker / sums.bare);
  }
  await Promise.all(Object.values(arms).map((arm) => arm.end()));
  return { worker: median(nanoseconds.worker), bare: median(nanoseconds.bare), ratio: median(ratios) };
}
