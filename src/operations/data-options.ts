import type { ModelInput } from '../contract/adapter.ts';
import type { Tensors } from '../contract/tensor.ts';
import { AttnswapError } from '../contract/errors.ts';
import { areTensorFiles, loadData } from '../data/data-module.ts';
import { defaults } from './defaults.ts';

/** What a model is run on. */
export interface DataOptions {
  /** A module of items; .safetensors, .npz or .npy files; or a .txt, with `tokenizer`. */
  readonly data: readonly string[];
  /** Path of the tokenizer.json that came with the model. */
  readonly tokenizer?: string | undefined;
  /** Sequence lengths in tokens. @default those of the tensor files, else [128, 256, 512] */
  readonly lengths?: readonly number[] | undefined;
  /** @default 1 */
  readonly seed?: number | undefined;
}

/** The same of an operation that can do without. */
export interface OptionalData extends Omit<DataOptions, 'data'> {
  readonly data?: readonly string[] | undefined;
}

/** @throws USAGE where there is no data and an option says how to read it */
export function refuseWithoutData({ data, ...options }: OptionalData & { readonly items?: number | undefined }): void {
  const lost = (['tokenizer', 'lengths', 'items'] as const).find((name) => options[name] !== undefined);
  if (data !== undefined || lost === undefined) return;
  throw new AttnswapError('USAGE', `--${lost} applies only to --data, and none is given`, { hint: `add --data, or omit --${lost}` });
}

/** @throws USAGE where there is data, or an option says how to read it, and nothing reads it */
export function refuseData(options: OptionalData & { readonly items?: number | undefined }, why: string): void {
  const lost = (['data', 'tokenizer', 'lengths', 'items'] as const).find((name) => options[name] !== undefined);
  if (lost !== undefined) throw new AttnswapError('USAGE', `--${lost}: ${why}`, { hint: `omit --${lost}` });
}

/** The first item of the data, the shortest where lengths can be chosen. @throws INVALID_DATA */
export async function firstItem(
  inputs: readonly ModelInput[],
  { data, tokenizer, lengths = defaults.lengths, seed = defaults.seed }: DataOptions,
): Promise<Tensors> {
  const source = await loadData(data, { inputs, tokenizer });
  const chosen = areTensorFiles(data) ? [] : [Math.min(...lengths)];
  const [first] = await source.items({ lengths: chosen, itemsPerLength: 1, seed });
  return first?.feeds ?? {};
}
