import { adapters } from '../adapters/index.ts';
import { readSuite } from '../src/contract/suite.ts';
import { planCells } from '../src/measure/plan-cells.ts';
import { againstBareLoop } from './interleaved.ts';

// Does the harness add anything to TensorFlow.js? `npm run bench:tfjs-overhead [pairs] [tokens]`
const pairs = Number(process.argv[2] ?? 20);
const tokens = Number(process.argv[3] ?? 512);
const suite = readSuite(
  { name: 'overhead', matrix: { variants: ['dense.naive'], backends: ['tfjs-wasm'], lengths: [tokens], causal: [false] } },
  'overhead',
);
for (const plan of await planCells(suite, adapters)) console.log(await againstBareLoop(plan, './tfjs-bare-loop.ts', pairs));
