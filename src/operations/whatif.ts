import { readDevice } from '../contract/device.ts';
import type { Device } from '../contract/device.ts';
import { AttnswapError } from '../contract/errors.ts';
import { dtypes } from '../contract/shape.ts';
import type { DType, Shape } from '../contract/shape.ts';
import type { Parameters } from '../contract/variant.ts';
import { readJson } from '../files/json.ts';
import { findVariant, formatVariant, parseVariant } from '../variants/index.ts';
import { boundOf } from '../variants/roofline.ts';
import type { Bound } from '../variants/roofline.ts';
import { defaults } from './defaults.ts';

export interface WhatIfOptions {
  /** A device file: declared peak rates. */
  readonly device: string;
  /** @default ['dense', 'window:w=256', 'block-topk', 'topk:k=64', 'gated:block=64,sparsity=0.4'] */
  readonly variants?: readonly string[] | undefined;
  /** @default [512, 1024, 2048, 4096] */
  readonly lengths?: readonly number[] | undefined;
  readonly batch?: number | undefined;
  readonly heads?: number | undefined;
  /** @default as many as heads */
  readonly kvHeads?: number | undefined;
  readonly headDim?: number | undefined;
  /** @default f32 if the device declares a rate for it, else f16, else bf16 */
  readonly dtype?: DType | undefined;
  /** @default true */
  readonly causal?: boolean | undefined;
}

/** The bound of a variant at a length. */
export interface Predicted extends Bound {
  readonly variant: string;
  readonly length: number;
  /** Relative to dense attention at the same length. */
  readonly overDense: number;
}

export interface WhatIfRecord {
  readonly device: Device;
  readonly shape: Omit<Shape, 'queries' | 'keys'>;
  readonly predicted: readonly Predicted[];
}

/**
 * The least time that calls could take on a device that is only declared, by arithmetic: nothing is run.
 * @throws INVALID_DEVICE, FILE_UNREADABLE; UNKNOWN_VARIANT, INVALID_PARAMETERS, INVALID_SHAPE; UNSUPPORTED for a dtype without a rate, and where
 * a variant is not defined for the shape
 */
export async function whatif(options: WhatIfOptions): Promise<WhatIfRecord> {
  const device = readDevice(await readJson(options.device, 'INVALID_DEVICE'), options.device);
  const { batch = defaults.cell.batch, heads = defaults.cell.heads, kvHeads = heads, headDim = defaults.cell.headDim } = options;
  const declared = dtypes.filter((each) => device.flopsPerSecond[each] !== undefined);
  const { causal = defaults.cell.causal, dtype = declared[0]! } = options;
  if (!declared.includes(dtype))
    throw new AttnswapError('UNSUPPORTED', `${options.device}: no rate for ${dtype}, only ${declared.join(', ')}`, {
      hint: `--dtype ${declared[0]}, or add its rate to flopsPerSecond`,
    });
  const lengths = options.lengths ?? defaults.whatif.lengths;
  requireSizes({ batch, heads, kvHeads, headDim }, lengths);
  const shape = { batch, heads, kvHeads, headDim, causal, dtype };
  const specs = (options.variants ?? defaults.whatif.variants).map((text) => parseVariant(text));
  const bound = (name: string, parameters: Parameters, length: number): Bound => {
    const variant = findVariant(name);
    const at = { ...shape, queries: length, keys: length };
    const refusal = variant.refuses(parameters, at);
    if (refusal !== undefined) throw new AttnswapError('UNSUPPORTED', refusal);
    return boundOf(variant, parameters, at, device)!;
  };
  const predicted = lengths.flatMap((length) => {
    const dense = bound('dense', {}, length);
    return specs.map(({ variant, parameters }) => {
      const found = bound(variant, parameters, length);
      return { variant: formatVariant({ variant, parameters }), length, ...found, overDense: found.leastNs / dense.leastNs };
    });
  });
  return { device, shape, predicted };
}

/** Work is counted query by query: longer sequences take too long to count. */
const longest = 2 ** 24;

function requireSizes(sizes: Readonly<Record<'batch' | 'heads' | 'kvHeads' | 'headDim', number>>, lengths: readonly number[]): void {
  const all = [...Object.entries(sizes), ...lengths.map((length) => ['length', length] as const)];
  const wrong = all.find(([, size]) => !Number.isInteger(size) || size < 1 || size > longest);
  if (wrong !== undefined)
    throw new AttnswapError('INVALID_SHAPE', `${wrong[0]} is ${wrong[1]}, expected a whole number from 1 to ${longest}`);
  if (sizes.heads % sizes.kvHeads !== 0)
    throw new AttnswapError('INVALID_SHAPE', `${sizes.heads} heads are not a multiple of ${sizes.kvHeads} key/value heads`);
}
