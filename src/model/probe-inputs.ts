import type { ModelInput } from '../contract/adapter.ts';
import type { Tensor, Tensors } from '../contract/tensor.ts';
import { drawModelInputs } from '../inputs/model-inputs.ts';
import type { DimensionSizes } from '../inputs/model-inputs.ts';

/** One small run of a model: how large, and where its masks drop keys. */
export interface ProbeCase {
  readonly batch: number;
  readonly length: number;
  readonly past: number;
  /** `right`: the last batch element ends early; `left`: it begins late. */
  readonly padding: 'none' | 'right' | 'left';
  readonly seed: number;
  readonly vocabulary: number;
}

/**
 * Sizes of a model's dynamic dimensions by what their names say: an axis called batch, or the first one, takes `batch`; one
 * called past takes `past`; a sum such as `past + sequence` the sum; all others `length`. Given sizes come first.
 */
export function guessSizes(
  inputs: readonly ModelInput[],
  at: Pick<ProbeCase, 'batch' | 'length' | 'past'>,
  given: DimensionSizes,
): DimensionSizes {
  const sizes: Record<string, number> = {};
  for (const { dims } of inputs) {
    dims.forEach((name, axis) => {
      if (typeof name === 'string') sizes[name] ??= given[name] ?? guess(name, axis, dims.length, at);
    });
  }
  return sizes;
}

function guess(name: string, axis: number, rank: number, at: Pick<ProbeCase, 'batch' | 'length' | 'past'>): number {
  const parts = name.split('+').map((part) => part.trim());
  if (parts.length === 2) return parts.reduce((sum, part) => sum + (/^\d+$/.test(part) ? Number(part) : guess(part, 1, rank, at)), 0);
  if (/batch/i.test(name)) return at.batch;
  if (/past/i.test(name)) return /total/i.test(name) ? at.past + at.length : at.past;
  if (/total/i.test(name)) return at.past + at.length;
  const named = /seq|len|token|time|width|height|frames|keys|quer/i.test(name);
  return axis === 0 && rank > 1 && !named ? at.batch : at.length;
}

/** Draws a probe's inputs: as {@link drawModelInputs}, with ids below `vocabulary`, and masks that drop a third of the last element. */
export function probeInputs(inputs: readonly ModelInput[], at: ProbeCase, given: DimensionSizes): Tensors {
  const drawn = drawModelInputs(inputs, guessSizes(inputs, at, given), at.seed, at.vocabulary);
  return Object.fromEntries(Object.entries(drawn).map(([name, tensor]) => [name, isMask(name, tensor) ? withPadding(tensor, at) : tensor]));
}

function isMask(name: string, { dims }: Tensor): boolean {
  return /mask/i.test(name) && dims.length === 2 && (dims[1] ?? 0) >= 3;
}

/** Zeros in a third of the last row. */
function withPadding(mask: Tensor, { padding }: ProbeCase): Tensor {
  if (padding === 'none') return mask;
  const [rows = 1, columns = 1] = mask.dims;
  const dropped = Math.floor(columns / 3);
  const start = (rows - 1) * columns + (padding === 'right' ? columns - dropped : 0);
  const data = mask.data.slice() as typeof mask.data;
  for (let at = start; at < start + dropped; at++) data[at] = data instanceof BigInt64Array ? (0n as never) : (0 as never);
  return { ...mask, data };
}
