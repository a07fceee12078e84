import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type PeakMemory, memoryEnvironment, openMemoryRegion } from './peak-memory.ts';

const program = fileURLToPath(new URL('./fixtures/known-allocation.ts', import.meta.url));
const linuxOnly = process.platform === 'linux' ? false : 'only Linux can reset the high-water mark of a process; run on Linux';

interface Reading extends PeakMemory {
  readonly allocatedBytes: number;
  readonly maxRssBytes: number;
}

async function allocate(mebibytes: number, blocks = 1, method = ''): Promise<Reading> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', program, String(mebibytes), String(blocks), method], {
    env: { ...process.env, ...memoryEnvironment },
  });
  return JSON.parse(stdout) as Reading;
}

function assertWithin(reading: Reading, fraction: number): void {
  const error = reading.peakHostBytes / reading.allocatedBytes - 1;
  const read = `${reading.peakHostBytes} bytes read of ${reading.allocatedBytes}, ${(100 * error).toFixed(2)} %`;
  assert.ok(Math.abs(error) <= fraction, read);
}

for (const mebibytes of [64, 256, 1024]) {
  test(`${mebibytes} MiB held for 20 ms are read within 2 %`, { skip: linuxOnly }, async () => {
    const reading = await allocate(mebibytes);
    assert.equal(reading.method, 'vm-hwm');
    assertWithin(reading, 0.02);
  });
}

test('the size of the parent does not show, though it does in ru_maxrss', { skip: linuxOnly }, async () => {
  const held = new Uint8Array(700 * 2 ** 20).fill(1);
  const small = await allocate(64);
  assertWithin(small, 0.02);
  assert.ok(small.maxRssBytes > held.byteLength, `ru_maxrss of the child: ${small.maxRssBytes}`);
  assertWithin(await allocate(256), 0.02);
  assert.equal(held.at(-1), 1);
});

test('many blocks of a mebibyte are read as one block is', { skip: linuxOnly }, async () => {
  assertWithin(await allocate(64, 64), 0.02);
  assertWithin(await allocate(256, 256), 0.02);
});

test('the sampling thread reads within 2 % what is held for 20 ms, and is labelled', async () => {
  const reading = await allocate(256, 1, 'sampled-rss');
  assert.equal(reading.method, 'sampled-rss');
  assertWithin(reading, 0.02);
});

test('a second region forgets the peak of the first', { skip: linuxOnly }, async () => {
  const first = await openMemoryRegion();
  let held: Uint8Array | undefined = new Uint8Array(200 * 2 ** 20).fill(1);
  const { peakHostBytes } = await first.close();
  assert.ok(peakHostBytes >= 200 * 2 ** 20, String(peakHostBytes));
  assert.equal(held.at(-1), 1);
  held = undefined;
  const second = await openMemoryRegion();
  const after = await second.close();
  assert.ok(after.peakHostBytes < 20 * 2 ** 20, String(after.peakHostBytes));
});
