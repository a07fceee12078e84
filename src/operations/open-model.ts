import { AttnswapError } from '../contract/errors.ts';
import { findAdapter } from '../loading/adapter.ts';
import { findSites } from '../model/sites/find-sites.ts';
import type { ModelSites } from '../model/sites/find-sites.ts';
import { readOnnxFile } from '../model/file/onnx-file.ts';
import type { OnnxFile } from '../model/file/onnx-file.ts';
import type { Assumption } from '../model/sites/site.ts';
import type { ModelRunner } from '../model/file/open-proto.ts';
import { partsAt, pathsOf } from '../model/parts/find-parts.ts';
import type { PartPaths } from '../model/parts/find-parts.ts';
import { readJoined } from '../model/parts/read-joined.ts';
import type { ModelInput } from '../contract/adapter.ts';
import { requireKnownDimensions } from './known-dimensions.ts';
import { firstItem } from './data-options.ts';
import type { OptionalData } from './data-options.ts';
import { defaults } from './defaults.ts';
import { adaptersOf } from './options.ts';
import type { OperationOptions } from './options.ts';

/** What every operation on a model takes. */
export interface ModelOptions extends OperationOptions {
  /**
   * Path of an ONNX file, or of a folder with an encoder and a decoder, which are then one model. For `sites`, `swap`, `capture` and `migrate` also a
   * model of PyTorch: a folder with config.json and safetensors, or `module.py:function`.
   */
  readonly model: string;
  /** Sizes of dynamic dimensions in the probe runs. @default small ones */
  readonly dimensions?: Readonly<Record<string, number>> | undefined;
  /** What you know about masks that probe runs cannot show; sites that rely on it say so. @default nothing */
  readonly assume?: Assumption | undefined;
  /** @default 'onnx-cpu', for PyTorch models 'torch-cpu' */
  readonly backend?: string | undefined;
}

/** A model of the user's with its attention. */
export interface LoadedModel {
  readonly file: OnnxFile;
  readonly runner: ModelRunner;
  readonly sites: ModelSites;
  /** The files that it was joined of; absent where one file holds it. */
  readonly parts?: PartPaths | undefined;
}

/**
 * With data, a model that runs on no random inputs is run on the first item.
 * @param checked whether `dimensions` were held against all files that they are for
 * @throws USAGE for a size of a dimension that the model lacks; INVALID_MODEL, UNSUPPORTED, INVALID_INPUTS, INVALID_DATA
 */
export async function loadModel(options: ModelOptions & OptionalData, checked = false): Promise<LoadedModel> {
  const { model, backend = defaults.backend, dimensions, assume, data } = options;
  const runner = await runnerOf(options, backend);
  const onStep = (what: string) => options.onProgress?.({ what: `reading ${model}: ${what}` });
  const parts = await partsAt(model);
  const file = parts === undefined ? await readOnnxFile(model) : await readJoined(model, parts);
  if (!checked) await requireKnownDimensions(dimensions, [file, ...(parts === undefined ? [] : pathsOf(parts))], model);
  const realInputs = data === undefined ? undefined : (inputs: readonly ModelInput[]) => firstItem(inputs, { ...options, data });
  return { file, runner, parts, sites: await findSites(file, runner, dimensions, { assumption: assume, realInputs, onStep }) };
}

/** A backend that is missing is told before anything is read for it. @throws UNSUPPORTED, UNKNOWN_BACKEND */
async function runnerOf(options: OperationOptions, backend: string): Promise<ModelRunner> {
  const adapter = await findAdapter(adaptersOf(options), backend).load();
  const status = await adapter.status(backend);
  if (status.available) return { adapter, backend };
  throw new AttnswapError('UNSUPPORTED', `${backend}: ${status.reason}`, { hint: status.mend });
}
