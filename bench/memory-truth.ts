import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { memoryEnvironment, peakMemoryMethods } from '../src/measure/peak-memory.ts';

/** Prints, for known allocations, what each method reads, and what ru_maxrss would have said: with and without a large parent. */
const program = fileURLToPath(new URL('../src/measure/fixtures/known-allocation.ts', import.meta.url));
const mebibyte = 2 ** 20;
const parentMebibytes = 700;

async function measure(mebibytes: number, blocks: number, method: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', program, String(mebibytes), String(blocks), method], {
    env: { ...process.env, ...memoryEnvironment },
  });
  const { peakHostBytes, allocatedBytes, maxRssBytes, ...read } = JSON.parse(stdout);
  const error = `${(100 * (peakHostBytes / allocatedBytes - 1)).toFixed(2)} %`;
  return [read.method, (peakHostBytes / mebibyte).toFixed(2), error, (maxRssBytes / mebibyte).toFixed(0)]
    .map((cell) => cell.padStart(12))
    .join('');
}

async function table(parent: string): Promise<void> {
  for (const mebibytes of [64, 256, 1024]) {
    for (const blocks of [1, mebibytes]) {
      for (const method of process.platform === 'linux' ? peakMemoryMethods : ['sampled-rss']) {
        console.log(
          `${parent.padEnd(12)}${String(mebibytes).padStart(6)}${String(blocks).padStart(8)}${await measure(mebibytes, blocks, method)}`,
        );
      }
    }
  }
}

console.log('parent         MiB  blocks      method    read MiB       error  maxrss MiB');
await table('small');
const held = new Uint8Array(parentMebibytes * mebibyte).fill(1);
await table(`${held.byteLength / mebibyte} MiB`);
if (held.at(-1) !== 1) throw new Error('the parent lost its memory');
