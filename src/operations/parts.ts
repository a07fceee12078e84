import { basename } from 'node:path';
import { AttnswapError } from '../contract/errors.ts';
import type { Replacement } from '../model/swap/swap.ts';
import { pathsOf } from '../model/parts/find-parts.ts';
import type { PartPaths } from '../model/parts/find-parts.ts';
import type { Site } from '../model/sites/site.ts';
import { requireKnownDimensions } from './known-dimensions.ts';
import { loadModel } from './open-model.ts';
import type { LoadedModel, ModelOptions } from './open-model.ts';

/** One file of an encoder–decoder model. */
export interface LoadedPart extends LoadedModel {
  /** The whole model's number of each of the file's sites: see {@link siteNumbers}. */
  readonly numbers: readonly number[];
}

/**
 * Every file of an encoder–decoder model, the encoder first, then the decoder.
 * @param checked whether `dimensions` were held against the files
 * @throws as {@link loadModel}; UNSUPPORTED as {@link siteNumbers}
 */
export async function loadParts(options: ModelOptions, paths: PartPaths, checked = false): Promise<readonly LoadedPart[]> {
  if (!checked) await requireKnownDimensions(options.dimensions, pathsOf(paths), options.model);
  const loaded: LoadedModel[] = [];
  for (const model of pathsOf(paths)) loaded.push(await loadModel({ ...options, model, data: undefined }, true));
  const files = loaded.map(({ file, sites }) => ({ model: file.path, sites: sites.sites }));
  return siteNumbers(files).map((numbers, at) => ({ ...loaded[at]!, numbers }));
}

/**
 * Numbers of sites throughout a model of several files: the encoder's come first, then the decoder's. Another form of the decoder, or another
 * branch of it, has the same sites in the same order, and so the same numbers.
 * @throws UNSUPPORTED where a form has other sites than the decoder
 */
export function siteNumbers(files: ReadonlyArray<{ readonly model: string; readonly sites: readonly Site[] }>): number[][] {
  const [encoder, decoder, ...again] = files;
  const first = encoder!.sites.length;
  const bodies = ({ sites }: { readonly sites: readonly Site[] }) => [...Map.groupBy(sites, ({ body }) => body).values()];
  const count = bodies(decoder!)[0]?.length ?? 0;
  return [
    encoder!.sites.map((_, place) => place),
    ...[decoder!, ...again].map((file) =>
      bodies(file).flatMap((sites) => {
        if (sites.length === count) return sites.map((_, place) => first + place);
        throw new AttnswapError(
          'UNSUPPORTED',
          `${file.model}: ${sites.length} attention sites${sites[0]?.body === undefined ? '' : ` in the ${sites[0].body}`}, expected ${count} as in ${basename(decoder!.model)}`,
          { hint: 'export encoder and decoder again with the same settings, or move this file to another folder' },
        );
      }),
    ),
  ];
}

/** All sites by the model's numbers; one that not every file can swap is told with the reason. */
export function sitesOfParts(parts: readonly Pick<LoadedPart, 'file' | 'sites' | 'numbers'>[]): Site[] {
  const known = new Map<number, Site>();
  for (const { file, sites, numbers } of parts)
    sites.sites.forEach((site, at) => {
      const number = numbers[at]!;
      const before = known.get(number) ?? { ...site, site: number };
      const reason = site.reason === undefined ? {} : { reason: `${basename(file.path)}: ${site.reason}` };
      known.set(number, before.swappable && !site.swappable ? { ...before, swappable: false, ...reason } : before);
    });
  return [...known.values()];
}

/** What becomes of the sites of one file, by the file's own numbers. */
export function ownReplacements({ numbers }: LoadedPart, replacements: ReadonlyMap<number, Replacement>): Map<number, Replacement> {
  return new Map(
    numbers.flatMap((number, own) => {
      const replacement = replacements.get(number);
      return replacement === undefined ? [] : [[own, replacement] as const];
    }),
  );
}
