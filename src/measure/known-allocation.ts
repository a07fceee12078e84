import { setTimeout } from 'node:timers/promises';
import { openMemoryRegion, peakMemoryMethods } from './peak-memory.ts';

/**
 * A program that knows the truth: it allocates a known amount inside a measured region, and prints what the region read.
 * `node --expose-gc known-allocation.ts <MiB> <blocks> <vm-hwm|sampled-rss>`: the amount in that many equal blocks,
 * every page touched, held for 20 ms, freed before the region closes. Prints one line of JSON:
 * `{ allocatedBytes, peakHostBytes, method, maxRssBytes }`, of which the last is what ru_maxrss would have said.
 */
const [mebibytes = '64', blocks = '1', method] = process.argv.slice(2);
const allocatedBytes = Number(mebibytes) * 2 ** 20;

async function allocateAndFree(): Promise<void> {
  const held: Uint8Array[] = [];
  while (held.length < Number(blocks)) held.push(new Uint8Array(allocatedBytes / Number(blocks)).fill(1));
  await setTimeout(20);
  held.length = 0;
  globalThis.gc?.();
}

const known = peakMemoryMethods.find((name) => name === method);
const region = await openMemoryRegion(known === undefined ? {} : { method: known });
await allocateAndFree();
const peak = await region.close();
console.log(JSON.stringify({ allocatedBytes, ...peak, maxRssBytes: process.resourceUsage().maxRSS * 1024 }));
