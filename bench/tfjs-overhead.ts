import { execa } from 'execa';
import { fileURLToPath } from 'node:url';
import { adapters } from '../adapters/index.ts';
import { readSuite } from '../src/contract/suite.ts';
import { launchStage } from '../src/measure/launch.ts';
import { planCells } from '../src/measure/plan-cells.ts';
import { median } from '../src/statistics/order-statistics.ts';

// Does the harness add anything to TensorFlow.js? Rounds of the same cell, once through a worker, once in a bare loop in a
// process of its own, in alternating order. `node bench/tfjs-overhead.ts [rounds] [tokens]`
const rounds = Number(process.argv[2] ?? 7);
const tokens = Number(process.argv[3] ?? 512);
const suite = readSuite(
  { name: 'overhead', matrix: { variants: ['dense.naive'], backends: ['tfjs-wasm'], lengths: [tokens], causal: [false] } },
  'overhead',
);
const bareLoop = fileURLToPath(new URL('./tfjs-bare-loop.ts', import.meta.url));

for (const { cell, entry } of await planCells(suite, adapters)) {
  const harness: number[] = [];
  const bare: number[] = [];
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
  for (let round = 0; round < rounds; round++) {
    for (const step of round % 2 === 0 ? [through, alone] : [alone, through]) await step();
  }
  const ratios = harness.map((value, round) => value / bare[round]!);
  const ms = (values: number[]) => `${(median(values) / 1e6).toFixed(2)} ms`;
  console.log(
    `${cell.id}: worker ${ms(harness)}, bare loop ${ms(bare)}, ratio ${median(ratios).toFixed(3)} (${ratios.map((ratio) => ratio.toFixed(3)).join(' ')})`,
  );
}
