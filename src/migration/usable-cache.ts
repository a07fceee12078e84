import type { DimensionSizes } from '../inputs/model-inputs.ts';
import type { Item } from '../contract/data.ts';
import type { Cache } from '../model/cache/cache.ts';
import { cacheShownBy, findCache } from '../model/cache/find-cache.ts';
import { driveFault } from '../model/cache/prove-drive.ts';
import type { OnnxFile } from '../model/file/onnx-file.ts';
import { openProto, usingModel } from '../model/file/open-proto.ts';
import type { ModelRunner } from '../model/file/open-proto.ts';
import { hostedCases } from '../model/hosted/cases.ts';
import type { HostedModel } from '../model/hosted/find-hosted-sites.ts';
import type { ModelSites } from '../model/sites/find-sites.ts';
import { quantizes } from '../model/graph/quantizes.ts';

/** The cache that a model is decoded through, or why it is not: `reason` is null where it has none at all. */
export type UsableCache = { readonly cache: Cache } | { readonly cache: null; readonly reason: string | null };

interface Subject {
  readonly file: OnnxFile;
  readonly sites: ModelSites;
  readonly runner: ModelRunner;
  readonly dimensions?: DimensionSizes | undefined;
}

/** The most that a token may differ between a call behind the cache and one over all tokens; activations that are quantized by the call differ more. */
const tolerances = { f32: 1e-3, f16: 3e-2, bf16: 0.1, quantized: 0.25 } as const;

/** Finds a model's cache, and shows on an item that decoding through it gives what one call gives. */
export async function usableCache({ file, sites, runner, dimensions }: Subject, itemOf: () => Promise<Item>): Promise<UsableCache> {
  const cache = await findCache(sites, file, runner, dimensions);
  if (cache === null) return { cache, reason: null };
  const item = await itemOf();
  const kind = quantizes(sites.proto.graph!) ? 'quantized' : sites.sites.some(({ dtype }) => dtype === 'f16') ? 'f16' : 'f32';
  const reason = await usingModel(openProto(sites.proto, file, runner), (model) => driveFault(model, cache, item.feeds, tolerances[kind]));
  return reason === undefined ? { cache } : { cache: null, reason };
}

/** The same of a model that a worker holds. */
export async function usableHostedCache(
  { model, sites }: HostedModel,
  sizes: DimensionSizes,
  itemOf: () => Promise<Item>,
): Promise<UsableCache> {
  const { undecoded, longest } = model.attention;
  const behind = hostedCases(model.inputs, { longest, sizes }).find(({ past }) => past > 0);
  const cache = behind === undefined ? null : await cacheShownBy(model, behind.feeds);
  if (cache === null) {
    const decodes = sites.some(({ causal }) => causal === true);
    const fixed =
      sizes['sequence'] === undefined ? 'it does not hand on its cache byte for byte' : '--dim sequence fixes the tokens of a call';
    const why = model.inputs.some(({ dims }) => dims.includes('past')) ? fixed : 'it takes no cache';
    return { cache, reason: undecoded ?? (decodes ? `${why}, so it is measured on whole sequences` : null) };
  }
  const coarse = (['bf16', 'f16'] as const).find((known) => sites.some(({ dtype }) => dtype === known));
  const tolerance = tolerances[coarse ?? 'f32'];
  const reason = await driveFault(model, cache, (await itemOf()).feeds, tolerance);
  return reason === undefined ? { cache } : { cache: null, reason };
}
