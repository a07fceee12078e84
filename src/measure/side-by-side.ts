import { threadCount } from '../processes/cpu-quota.ts';
import type { CellPlan } from './measure-cell.ts';

export interface Room {
  readonly processors: number;
  /** That this process and its children may still take, within the limits of a container. */
  readonly freeBytes: number;
}

/** Runtime and heap of one process, at a guess. */
const processBytes = 0.5e9;
/** Of processes of a cell: for peak memory, and for latency. */
const processes = 2;
/** Copies of the inputs in each: as drawn, as the kernel's, and as the reference's. */
const copies = 4;

function roomHere(): Room {
  return { processors: threadCount(), freeBytes: process.availableMemory() };
}

/**
 * Whether cells may be prepared side by side: there are processors for both, half of the free memory is enough, and no device is shared, whose memory and
 * queues are not known.
 */
export function fitSideBySide(plans: readonly CellPlan[], { processors, freeBytes }: Room = roomHere()): boolean {
  const onProcessors = plans.every(({ cell }) => /-(cpu|wasm|node)$/.test(cell.backend));
  return processors > 1 && onProcessors && plans.reduce((sum, plan) => sum + bytesOf(plan), 0) <= freeBytes / 2;
}

/** Whether two processes that take so many bytes each, of which one may take twice as many, may run at once: half of the free memory is enough. */
export function fitTwice(bytes: number, { processors, freeBytes }: Room = roomHere()): boolean {
  return processors > 1 && 3 * (processBytes + bytes) <= freeBytes / 2;
}

/** What a cell may take at most, its logits included: some kernels write them all. */
function bytesOf({ cell: { shape } }: CellPlan): number {
  const { batch, heads, kvHeads, queries, keys, headDim } = shape;
  const inputs = 4 * batch * headDim * (heads * queries + 2 * kvHeads * keys);
  const logits = 2 * 4 * batch * heads * queries * keys;
  return processes * (processBytes + copies * inputs) + logits;
}
