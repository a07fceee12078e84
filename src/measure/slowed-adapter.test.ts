import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Adapter, AdapterEntry, KernelRequest, PreparedKernel } from '../contract/adapter.ts';
import { cpuTimeNs } from './cpu-time.ts';
import { slowedEntry } from './slowed-adapter.ts';

/** A kernel whose call takes 2 ms, and one that times itself: 1000 ns a call. */
function entryOf(kernel: Partial<PreparedKernel>): AdapterEntry {
  const inner = { name: 'inner', backends: [], kernels: [], prepare: async () => kernel } as unknown as Adapter;
  return { name: 'inner', backends: [], module: 'file:///inner.ts', load: async () => inner };
}

const prepared = async (kernel: Partial<PreparedKernel>, share: number, request: Partial<KernelRequest> = {}) =>
  (await (await slowedEntry(entryOf(kernel), share).load()).prepare(request as KernelRequest)) as PreparedKernel;

test('a call takes longer by the share', async () => {
  let own = 0;
  const run = async () => {
    const start = performance.now();
    while (performance.now() - start < 2);
    own = performance.now() - start;
  };
  const kernel = await prepared({ run }, 3);
  const start = performance.now();
  await kernel.run();
  assert.ok(performance.now() - start >= 3.9 * own);
});

test('where CPU time is compared, a call computes longer by the share, however long it waits for a processor', async () => {
  let own = 0;
  const run = async () => {
    const start = cpuTimeNs()!;
    while (cpuTimeNs()! - start < 2e6);
    own = cpuTimeNs()! - start;
  };
  const kernel = await prepared({ run }, 3, { purpose: 'cpu-time' });
  const start = cpuTimeNs()!;
  await kernel.run();
  assert.ok(cpuTimeNs()! - start >= 3.9 * own);
});

test('what a kernel says of its own time grows by the share, and does take so long', async () => {
  const kernel = await prepared({ run: async () => undefined, timeCalls: async (calls) => 1000 * calls }, 0.5);
  assert.equal(await kernel.timeCalls!(20), 30_000);
});

test('calls of this process say that they took longer by the share', async () => {
  let calls = 0;
  const kernel = await prepared({ run: async () => void calls++ }, 1e6);
  assert.ok((await kernel.timeCalls!(3)) > 1e6);
  assert.equal(calls, 3);
});

test('what is not there stays away: gradients, own times, a process', async () => {
  const kernel = await prepared({ run: async () => undefined }, 0.1, { purpose: 'cpu-time' });
  assert.deepEqual([kernel.timeCalls, kernel.pid, kernel.gradients], [undefined, undefined, undefined]);
});
