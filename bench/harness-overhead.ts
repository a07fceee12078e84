import { adapters } from '../adapters/index.ts';
import { readSuite } from '../src/contract/suite.ts';
import { planCells } from '../src/measure/plan-cells.ts';
import { againstBareLoop } from './interleaved.ts';

// Does the harness add anything to ONNX Runtime? `npm run bench:overhead [pairs]`
const pairs = Number(process.argv[2] ?? 20);
const suite = readSuite(
  { name: 'overhead', matrix: { variants: ['dense.naive', 'dense.fused'], backends: ['onnx-cpu'], lengths: [1024] } },
  'overhead',
);
for (const plan of await planCells(suite, adapters)) console.log(await againstBareLoop(plan, './bare-loop.ts', pairs));
