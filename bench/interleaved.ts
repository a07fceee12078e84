import { execa } from 'execa';
import { fileURLToPath } from 'node:url';
import { launchStage } from '../src/measure/launch.ts';
import type { CellPlan } from '../src/measure/measure-cell.ts';
import { median, medianInterval } from '../src/statistics/order-statistics.ts';

/**
 * What the harness adds to a cell: rounds of the cell through a worker and of a script that loops over the same calls, each in a process of its own,
 * in alternating order. The script is given the cell as JSON and prints its median in nanoseconds. Processes differ by some per cent from one to the next
 * (where their memory came to lie, what else the machine did), so that the ratio is told with the interval of its median over rounds.
 */
export async function againstBareLoop({ cell, entry }: CellPlan, script: string, rounds: number): Promise<string> {
  const bareLoop = fileURLToPath(new URL(script, import.meta.url));
  const harness: number[] = [];
  const bare: number[] = [];
  const through = async () => {
    const request = { stage: 'latency' as const, cell, adapterModule: entry.module, sampleSeconds: 3, wasteRows: 1 };
    const answer = await launchStage(request, { timeoutSeconds: 120 });
    if (answer.outcome !== 'latency') throw new Error(JSON.stringify(answer));
    harness.push(answer.latency.medianNs);
  };
  const alone = async () => {
    bare.push(Number((await execa(process.execPath, ['--expose-gc', bareLoop, JSON.stringify(cell)])).stdout));
  };
  for (let round = 0; round < rounds; round++) {
    for (const step of round % 2 === 0 ? [through, alone] : [alone, through]) await step();
  }
  const ratios = harness.map((value, round) => value / bare[round]!);
  const ms = (values: number[]) => `${(median(values) / 1e6).toFixed(2)} ms`;
  const each = ratios.map((ratio) => ratio.toFixed(3)).join(' ');
  const { low, high } = medianInterval(ratios);
  const ratio = `ratio ${median(ratios).toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
  return `${cell.id}: worker ${ms(harness)}, bare loop ${ms(bare)}, ${ratio}, by round ${each}`;
}
