import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RandomStream } from '../src/inputs/random.ts';
import { endure } from '../tests/fleet-endure.ts';
import { main } from '../tests/run-cli.ts';

// Does a kill lose anything of a fleet? Three workers measure a small suite over and over, while workers, their measuring processes, whoever waits
// or submits, and Redis are killed at drawn moments. Every declared cell must end measured once or be named as missing, and no process and no lock
// may be left. Linux only; needs redis-server.
//   node bench/fleet-kills.ts [kills, 100] [longest pause before a kill in seconds, 6] [seed, 1]

const [kills = 100, pauseSeconds = 6, seed = 1] = process.argv.slice(2).map(Number);
const suite = join(mkdtempSync(join(tmpdir(), 'attnswap-fleet-kills-')), 'small.suite.mjs');
const matrix = { variants: ['dense.fused', 'window:w=8'], backends: ['onnx-cpu'], lengths: [64, 128], heads: 2, headDim: 16 };
writeFileSync(suite, `export default ${JSON.stringify({ name: 'small', matrix, sampleSeconds: 0.05, wasteRows: 16 })};\n`);
const stream = new RandomStream(seed, 'fleet kills');
const joining = ['fleet', 'join', '--insecure', '--labels', 'pool=x', '--lost-after', '3', '--quiet'];
const tally = await endure({
  kills,
  suite,
  worker: (name) => [main, ...joining, '--name', name, '--key', `${name}.pem`],
  pauseMs: 1000 * pauseSeconds,
  random: () => stream.uniform(),
});
console.log(JSON.stringify(tally, null, 1));
