import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { AttnswapError } from '../contract/errors.ts';
import type { ErrorCode } from '../contract/errors.ts';
import { isHostedModel } from '../model/hosted/model-path.ts';
import type { ModelSites } from '../model/sites/find-sites.ts';
import type { Site } from '../model/sites/site.ts';
import { partsAt, pathsOf } from '../model/parts/find-parts.ts';
import { refuseData, refuseWithoutData } from './data-options.ts';
import type { OptionalData } from './data-options.ts';
import { requireKnownDimensions } from './known-dimensions.ts';
import { usingHosted } from './open-hosted.ts';
import { loadModel } from './open-model.ts';
import type { LoadedModel, ModelOptions } from './open-model.ts';
import { siteNumbers } from './parts.ts';
import { systemReason } from '../files/system-reason.ts';

/** With data, a model that runs on no random inputs is run on the first item. */
export type SitesOptions = ModelOptions & OptionalData;

/** The attention in a model. */
export interface SitesRecord {
  /** Path of the model. */
  readonly model: string;
  /** SHA-256 of the model's file, or of a PyTorch model's modules, parameters and buffers. */
  readonly sha256: string;
  readonly sites: readonly Site[];
  /** What looked like attention but is not a site, with the reason. */
  readonly unknown: ModelSites['unknown'];
  /** Nodes that were rewritten because the model is older than opset 13. */
  readonly rewrittenForOpset13: ModelSites['rewritten'];
  /** Model-local functions that were inlined. */
  readonly inlinedFunctions: ModelSites['inlined'];
  /** Number of nodes searched; for PyTorch models, modules. */
  readonly nodes: number;
  /** For a file of an encoder–decoder model, its folder, through whose files sites are numbered; absent for others. */
  readonly partOf?: string;
}

/**
 * Finds every attention of a model: what it does, and whether it can be swapped.
 * @throws INVALID_MODEL, UNSUPPORTED, UNKNOWN_BACKEND
 */
export async function sites(options: SitesOptions): Promise<SitesRecord> {
  if (await isHostedModel(options.model)) return hostedSites(options);
  refuseWithoutData(options);
  return recordOf(await loadModel(options));
}

function recordOf({ file, sites: found }: LoadedModel): SitesRecord {
  return {
    model: file.path,
    sha256: file.sha256,
    sites: found.sites,
    unknown: found.unknown,
    rewrittenForOpset13: found.rewritten,
    inlinedFunctions: found.inlined,
    nodes: found.proto.graph!.node.length,
  };
}

function hostedSites(options: SitesOptions): Promise<SitesRecord> {
  refuseData(options, 'sites are found in PyTorch models with random inputs');
  return usingHosted(options, async ({ path, sha256, sites: found, unknown, modules }) => ({
    model: path,
    sha256,
    sites: found,
    unknown,
    rewrittenForOpset13: [],
    inlinedFunctions: [],
    nodes: modules,
  }));
}

/** A model of a folder whose attention could not be read. */
export interface FailedModel {
  readonly model: string;
  readonly code: ErrorCode;
  readonly reason: string;
}

/**
 * The attention in every .onnx file below a folder, by path; what one of them fails of stops none of the others. The files of an
 * encoder–decoder model come first.
 * @throws FILE_UNREADABLE where there is no folder; USAGE where it holds no model, or none has a dimension whose size is given
 */
export async function sitesInFolder({ model: folder, ...options }: SitesOptions): Promise<ReadonlyArray<SitesRecord | FailedModel>> {
  refuseWithoutData(options);
  const entries = await readdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw new AttnswapError('FILE_UNREADABLE', `${folder}: cannot be read: ${systemReason(cause)}`, { cause });
  });
  const models = entries.filter((path) => path.toLowerCase().endsWith('.onnx')).toSorted();
  if (models.length === 0) throw new AttnswapError('USAGE', `${folder}: contains no .onnx file`, { hint: 'name a folder of ONNX models' });
  const paths = models.map((path) => join(folder, path));
  await requireKnownDimensions(options.dimensions, paths, folder, { goesOn: true });
  const results: Array<SitesRecord | FailedModel> = [];
  for (const [done, model] of paths.entries()) {
    options.onProgress?.({ what: model, done, total: models.length });
    const loading = loadModel({ ...options, model, onProgress: undefined }, true);
    results.push(await loading.then(recordOf).catch((error: unknown) => failed(model, error)));
  }
  return numberedThroughout(folder, results);
}

/** The files of an encoder–decoder model first, with sites numbered as `swap` and `migrate` of the folder take them. */
async function numberedThroughout(
  folder: string,
  records: ReadonlyArray<SitesRecord | FailedModel>,
): Promise<ReadonlyArray<SitesRecord | FailedModel>> {
  const parts = await partsAt(folder).catch(() => undefined);
  const own = parts && pathsOf(parts).map((path) => records.find(({ model }) => model === path)!);
  if (own === undefined || !own.every((record) => 'sites' in record)) return records;
  const numbers = numbersOf(own);
  if (numbers === undefined) return records;
  const numbered = own.map((record, at) => ({
    ...record,
    sites: record.sites.map((site, place) => ({ ...site, site: numbers[at]![place]! })),
    partOf: folder,
  }));
  return [...numbered, ...records.filter((record) => !own.includes(record as SitesRecord))];
}

/** Undefined where the files do not belong together. */
function numbersOf(own: readonly SitesRecord[]): number[][] | undefined {
  try {
    return siteNumbers(own);
  } catch (error) {
    if (error instanceof AttnswapError) return undefined;
    throw error;
  }
}

function failed(model: string, error: unknown): FailedModel {
  if (error instanceof AttnswapError) return { model, code: error.code, reason: error.message };
  throw error;
}
