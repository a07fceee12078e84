import type { ModelInput, OpenModel } from '../contract/adapter.ts';
import type { DataModule, Item } from '../contract/data.ts';
import { areTensorFiles, loadData } from '../data/data-module.ts';
import type { DimensionSizes } from '../inputs/model-inputs.ts';
import { named } from '../model/sites/probe-inputs.ts';
import { openProto } from '../model/file/open-proto.ts';
import { defaults } from './defaults.ts';
import type { DataOptions } from './data-options.ts';
import type { LoadedModel } from './open-model.ts';

/** A model as far as its data need it. */
type Opened = Pick<LoadedModel, 'file' | 'runner'> & {
  /** A model that was joined from several files has no scopes of its own. */
  readonly sites: Pick<LoadedModel['sites'], 'proto'> & Partial<Pick<LoadedModel['sites'], 'scopes'>>;
};

/** The data, as the model wants them. @throws INVALID_DATA */
export async function dataFor({ file, runner, sites }: Opened, { data, tokenizer }: DataOptions): Promise<DataModule> {
  const model = await openProto(sites.proto, file, runner, 'reading');
  await model.dispose();
  const widths = Object.assign({}, ...(sites.scopes ?? []).map(({ probe }) => probe.fixed ?? {})) as DimensionSizes;
  return loadData(data, { inputs: withWidths(model.inputs, widths), tokenizer });
}

/** The same of a model that a worker holds. @throws INVALID_DATA */
export function hostedData({ inputs }: Pick<OpenModel, 'inputs'>, { data, tokenizer }: DataOptions): Promise<DataModule> {
  return loadData(data, { inputs, tokenizer });
}

/** The inputs with the channels of a cache, their last axis, as the graph fixes them where an input leaves them open. */
function withWidths(inputs: readonly ModelInput[], widths: DimensionSizes): ModelInput[] {
  return named(inputs).map(({ dims: names }, at) => {
    const input = inputs[at]!;
    const width = widths[String(names.at(-1))];
    return input.dims.length < 4 || width === undefined ? input : { ...input, dims: input.dims.with(-1, width) };
  });
}

/** What is asked of a model's data, beside the data themselves. */
interface ItemOptions extends DataOptions {
  /** Of each length. @default all tensor files, else `usual` */
  readonly items?: number | undefined;
}

/** The items that a model's data give. @throws INVALID_DATA */
export async function itemsFor(loaded: Opened, options: ItemOptions, usual: number): Promise<readonly Item[]> {
  return itemsFrom(await dataFor(loaded, options), options, usual);
}

/** The same of data that were read. */
export async function itemsFrom(source: DataModule, options: ItemOptions, usual: number): Promise<readonly Item[]> {
  const { data, seed = defaults.seed } = options;
  const tensors = areTensorFiles(data);
  const lengths = options.lengths ?? (tensors ? [] : defaults.lengths);
  return source.items({ lengths, itemsPerLength: options.items ?? (tensors ? data.length : usual), seed });
}

/** The lengths asked for; else those that tensor files have, or the usual ones. */
export async function lengthsOf(source: DataModule, { lengths, data, seed = defaults.seed }: DataOptions): Promise<readonly number[]> {
  if (lengths !== undefined) return lengths;
  if (!areTensorFiles(data)) return defaults.lengths;
  return (await source.items({ lengths: [], itemsPerLength: 1, seed })).map(({ length }) => length);
}
