import type { Adapter, AdapterEntry, KernelRequest, PreparedKernel } from '../contract/adapter.ts';
import { loadAdapter } from '../loading/adapter.ts';
import { systemClock } from './clock.ts';
import { cpuTimeNs } from './cpu-time.ts';
import { timedBy } from './sample-loop.ts';

/** The entry of an adapter whose calls are slower by a known share: real kernels, with a regression of known size. */
export function slowedEntry(entry: AdapterEntry, share: number): AdapterEntry {
  const module = new URL(import.meta.url);
  module.search = new URLSearchParams({ of: entry.module, share: String(share) }).toString();
  return { ...entry, module: module.href, load: async () => slowed(await entry.load(), share) };
}

function slowed(inner: Adapter, share: number): Adapter {
  return {
    ...inner,
    async prepare(request) {
      const kernel = await inner.prepare(request);
      return 'unsupported' in kernel ? kernel : slowedKernel(kernel, share, request.purpose);
    },
  };
}

function slowedKernel(kernel: PreparedKernel, share: number, purpose: KernelRequest['purpose']): PreparedKernel {
  const { pid, compiledAhead } = kernel;
  // Of a process that computes elsewhere, what is spun here is no part of its CPU time.
  const wallNs = () => Number(process.hrtime.bigint());
  const nowNs = purpose === 'cpu-time' && pid === undefined ? () => cpuTimeNs()! : wallNs;
  const ownCalls = timedBy(systemClock(), () => kernel.run());
  return {
    async run() {
      const start = nowNs();
      await kernel.run();
      spin(share * (nowNs() - start), nowNs);
    },
    // A spin behind a call makes the next one in this process quicker, so that single calls would show only a part of the share.
    ...(kernel.timeCalls === undefined &&
      purpose !== 'cpu-time' && { timeCalls: async (calls: number) => (1 + share) * (await ownCalls(calls)) }),
    // A kernel that times itself does so elsewhere: what is spun here is added to what it says.
    ...(kernel.timeCalls && {
      async timeCalls(calls: number) {
        const elapsedNs = await kernel.timeCalls!(calls);
        spin(share * elapsedNs, wallNs);
        return (1 + share) * elapsedNs;
      },
    }),
    ...(pid !== undefined && { pid }),
    ...(compiledAhead !== undefined && { compiledAhead }),
    output: () => kernel.output(),
    ...(kernel.gradients && { gradients: () => kernel.gradients!() }),
    dispatch: () => kernel.dispatch(),
    peakDeviceBytes: () => kernel.peakDeviceBytes(),
    dispose: () => kernel.dispose(),
  };
}

function spin(durationNs: number, nowNs: () => number): void {
  const end = nowNs() + durationNs;
  while (nowNs() < end);
}

const given = new URL(import.meta.url).searchParams;
const of = given.get('of');

/** Of the adapter that this module's URL names, for the processes that measure. */
export const adapter: Adapter | undefined = of === null ? undefined : slowed(await loadAdapter(of), Number(given.get('share')));
