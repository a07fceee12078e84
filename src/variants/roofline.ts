import type { Device } from '../contract/device.ts';
import type { Shape } from '../contract/shape.ts';
import type { Parameters, Variant, Work } from '../contract/variant.ts';

/** The least time that a device's declared rates allow a call: arithmetic, not a measurement. */
export interface Bound {
  readonly work: Work;
  /** Of the arithmetic alone, and of reading the inputs once and writing the output once. */
  readonly computeNs: number;
  readonly memoryNs: number;
  /** The longer of the two. */
  readonly leastNs: number;
  readonly limitedBy: 'compute' | 'memory';
  /** `leastNs` in cycles of the device's clock; null where that is not declared. */
  readonly cycles: number | null;
}

/**
 * The roofline of one call (Williams, Waterman, Patterson 2009): max(FLOPs / peak FLOP/s, bytes / peak byte/s), with the work of the variant's
 * cost model. Undefined where the device declares no rate for the shape's dtype.
 */
export function boundOf(variant: Variant, parameters: Parameters, shape: Shape, device: Device): Bound | undefined {
  const flopsPerSecond = device.flopsPerSecond[shape.dtype];
  if (flopsPerSecond === undefined) return undefined;
  const work = variant.cost(parameters, shape);
  const [computeNs, memoryNs] = [(1e9 * work.flops) / flopsPerSecond, (1e9 * work.bytes) / device.bytesPerSecond];
  const leastNs = Math.max(computeNs, memoryNs);
  const cycles = device.clockHz === undefined ? null : (leastNs * device.clockHz) / 1e9;
  return { work, computeNs, memoryNs, leastNs, limitedBy: computeNs >= memoryNs ? 'compute' : 'memory', cycles };
}
