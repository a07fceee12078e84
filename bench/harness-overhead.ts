import { execa } from 'execa';
import { fileURLToPath } from 'node:url';
import { adapters } from '../adapters/index.ts';
import type { Suite } from '../src/contract/suite.ts';
import { readSuite } from '../src/contract/suite.ts';
import { launchStage } from '../src/measure/launch.ts';
import { planCells } from '../src/measure/plan-cells.ts';
import { median } from '../src/statistics/order-statistics.ts';

// Does the harness add anything? Rounds of the same cell, once through a worker, once in a bare onnxruntime-node loop in a
// process of its own, in alternating order. `npm run bench:overhead [rounds]`
const rounds = Number(process.argv[2] ?? 7);
const suite: Suite = readSuite(
  { name: 'overhead', matrix: { variants: ['dense.naive', 'dense.fused'], backends: ['onnx-cpu'], lengths: [1024] } },
  'overhead',
);
const bareLoop = fileURLToPath(new URL('./bare-loop.ts', import.meta.url));

for (const { cell, entry } of await planCells(suite, adapters)) {
  const harness: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const through = async () => {
      const answer = await launchStage(
        { stage: 'latency', cell, adapterModule: entry.module, sampleSeconds: 3, wasteRows: 1 },
        { timeoutSeconds: 120 },
      );
      if (answer.outcome !== 'latency') throw new Error(JSON.stringify(answer));
      harness.push(answer.latency.medianNs);
    };
    const alone = async () => {
      bare.push(Number((await execa(process.execPath, ['--expose-gc', bareLoop, JSON.stringify(cell)])).stdout));
    };
    for (const step of round % 2 === 0 ? [through, alone] : [alone, through]) await step();
  }
  const ratios = harness.map((value, round) => value / bare[round]!);
  const ms = (values: number[]) => `${(median(values) / 1e6).toFixed(2)} ms`;
  console.log(
    `${cell.variant.name}.${cell.kernel} at 1024: worker ${ms(harness)}, bare loop ${ms(bare)}, ratio ${median(ratios).toFixed(3)} (${ratios.map((ratio) => ratio.toFixed(3)).join(' ')})`,
  );
}
