import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { AttnswapError } from '../contract/errors.ts';
import { type RssSampler, startRssSampler } from './rss-sampler.ts';

/** `vm-hwm`: the kernel's own high-water mark, exact. `sampled-rss`: read every millisecond, so shorter peaks escape it. */
export const peakMemoryMethods = ['vm-hwm', 'sampled-rss'] as const;
export type PeakMemoryMethod = (typeof peakMemoryMethods)[number];

export interface PeakMemory {
  /** Growth of the resident peak over the resident size when the region was opened, bytes. */
  readonly peakHostBytes: number;
  /** The resident peak itself, bytes. */
  readonly residentBytes: number;
  readonly method: PeakMemoryMethod;
}

export interface MemoryRegion {
  close(): Promise<PeakMemory>;
}

/**
 * Environment to launch a process with whose memory is to be measured: glibc then maps every block of 8 KiB and more by
 * itself, keeps one arena, and gives back what is freed (mallopt(3)). By default the first free of a large block raises its
 * thresholds, and from then on freed memory stays resident and is used again unseen: 2 MiB of 64 went missing in the truth
 * test. With a threshold of 64 KiB a small block at the heap's end kept freed ones below it resident, and hid .5 MB of a peak
 * of 1.2 MB in one launch of ten. It costs page faults: never beside timing. Without effect where the C library is not glibc.
 */
export const memoryEnvironment = {
  MALLOC_MMAP_THRESHOLD_: '8192',
  MALLOC_TRIM_THRESHOLD_: '65536',
  MALLOC_TOP_PAD_: '0',
  MALLOC_ARENA_MAX: '1',
} as const;

/**
 * Opens a region in which this process's peak resident memory is measured, by the kernel's high-water mark on Linux, by a
 * sampling thread elsewhere or on request. One region at a time: Linux keeps one mark a process.
 *
 * The figure is what the region needed *beyond what was resident already*. So:
 * - Memory that the process freed but an allocator kept can be used again without any growth: the figure is a lower bound
 *   of what the region allocated. {@link memoryEnvironment} keeps glibc from it; a runtime that pools must be measured with
 *   its pool off or empty, or it will read as nearly nothing once warmed up.
 * - It counts pages that were touched, not bytes that were asked for: calloc without writes costs nothing; allocator slack,
 *   page tables aside, does count.
 * - JavaScript garbage is collected first (where `--expose-gc` allows it), and the resident size left to settle: pages handed
 *   back after the reset would hide as much of the peak. Garbage made inside the region counts until it is collected.
 * - Linux keeps the counters per processor and adds them up loosely: up to a few MiB of error on machines with many cores.
 * - Never `ru_maxrss`: a child inherits it across fork and exec from its parent, however large.
 */
export async function openMemoryRegion(options: { readonly method?: PeakMemoryMethod; readonly pid?: number } = {}): Promise<MemoryRegion> {
  const { pid } = options;
  if (pid !== undefined && pid !== process.pid) return otherRegion(pid);
  const method = options.method ?? (canResetPeak('self') ? 'vm-hwm' : 'sampled-rss');
  // The sampler's own thread must be resident before the baseline is taken.
  const sampler = method === 'sampled-rss' ? await startRssSampler() : undefined;
  await settle(() => process.memoryUsage.rss());
  return sampler ? sampledRegion(sampler) : highWaterRegion('self');
}

/** Of a process that does the work for this one. @throws UNSUPPORTED where the system has no mark that can be reset from outside */
async function otherRegion(pid: number): Promise<MemoryRegion> {
  if (!canResetPeak(pid)) {
    throw new AttnswapError('UNSUPPORTED', `peak memory of process ${pid} cannot be read: this needs Linux and a process of the same user`);
  }
  await settle(() => statusBytes(pid, 'VmRSS'));
  return highWaterRegion(pid);
}

function highWaterRegion(of: Process): MemoryRegion {
  resetPeak(of);
  const residentBytes = statusBytes(of, 'VmRSS');
  return {
    async close() {
      const peakBytes = statusBytes(of, 'VmHWM');
      return { peakHostBytes: Math.max(0, peakBytes - residentBytes), residentBytes: peakBytes, method: 'vm-hwm' };
    },
  };
}

type Process = 'self' | number;

function sampledRegion(sampler: RssSampler): MemoryRegion {
  const residentBytes = process.memoryUsage.rss();
  sampler.reset();
  return {
    async close() {
      const peakBytes = Math.max(sampler.peakBytes(), process.memoryUsage.rss());
      await sampler.stop();
      return { peakHostBytes: Math.max(0, peakBytes - residentBytes), residentBytes: peakBytes, method: 'sampled-rss' };
    },
  };
}

/** Collects garbage until the resident size stops falling, a quarter of a second at most: V8 hands pages back on other threads. */
async function settle(resident: () => number): Promise<void> {
  let lowest = Infinity;
  for (let round = 0, quiet = 0; round < 25 && quiet < 3; round++) {
    if (quiet === 0) globalThis.gc?.();
    await setTimeout(10);
    const residentBytes = resident();
    quiet = residentBytes < lowest - 65536 ? 0 : quiet + 1;
    lowest = Math.min(lowest, residentBytes);
  }
}

/** Sets VmHWM back to the resident size: `5` in clear_refs, proc(5), Linux 4.0 and later. */
function resetPeak(of: Process): void {
  writeFileSync(`/proc/${of}/clear_refs`, '5');
}

function canResetPeak(of: Process): boolean {
  if (process.platform !== 'linux') return false;
  try {
    resetPeak(of);
    // Sandboxes that imitate /proc may take the write and keep no mark.
    return statusBytes(of, 'VmHWM') > 0;
  } catch {
    return false;
  }
}

function statusBytes(of: Process, field: 'VmHWM' | 'VmRSS'): number {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${of}/status`, 'utf8'));
  return match === null ? 0 : Number(match[1]) * 1024;
}
