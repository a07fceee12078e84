import type { Adapter } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { Parameters } from '../contract/variant.ts';
import { kernelOf } from '../measure/plan-cells.ts';
import type { Site } from '../model/sites/site.ts';
import { findVariant, parseVariant } from '../variants/index.ts';
import type { Replacement } from '../model/swap/swap.ts';

/**
 * Which site becomes what: each text is a variant for `sites`, or `0,2-3=variant` for its own; the last one that names a site wins.
 * @throws USAGE for what is no list of sites; UNKNOWN_VARIANT, UNKNOWN_KERNEL, INVALID_PARAMETERS
 */
export function parseReplacements(texts: readonly string[], sites: readonly number[], adapter: Adapter): Map<number, Replacement> {
  return replacementsFor(texts, () => sites, adapter);
}

/**
 * The same for every site of a model that can be swapped, but that cross-attention keeps its own where a variant asks for positions: see
 * {@link needsPositions}.
 * @throws UNSUPPORTED where that leaves a variant no site; else as {@link parseReplacements}
 */
export function replacementsAnywhere(texts: readonly string[], sites: readonly Site[], adapter: Adapter): Map<number, Replacement> {
  const swappable = sites.filter((site) => site.swappable);
  const fitting = (variant: string, parameters: Parameters): readonly number[] => {
    const found = needsPositions(variant, parameters) ? swappable.filter(({ crossAttention }) => crossAttention !== true) : swappable;
    if (found.length > 0 || swappable.length === 0) return found.map(({ site }) => site);
    throw new AttnswapError(
      'UNSUPPORTED',
      `${variant} selects keys by position, but all sites are cross-attention: their queries are not at the positions of the keys`,
      {
        hint: 'choose dense or topk',
      },
    );
  };
  return replacementsFor(texts, fitting, adapter);
}

function replacementsFor(
  texts: readonly string[],
  sitesFor: (variant: string, parameters: Parameters) => readonly number[],
  adapter: Adapter,
): Map<number, Replacement> {
  const replacements = new Map<number, Replacement>();
  for (const text of texts) {
    const [, own, variant = text] = /^([\d,\s-]+)=(.+)$/.exec(text) ?? [];
    const { variant: name, parameters } = parseVariant(variant);
    const { kernel } = kernelOf(adapter, variant);
    const sites = own === undefined ? sitesFor(name, parameters) : parseSites(own);
    for (const site of sites) replacements.set(site, { variant: name, kernel, parameters });
  }
  return replacements;
}

/** Whether a variant needs queries and keys to be positions of one sequence: it is then not defined for more queries than keys. */
function needsPositions(variant: string, parameters: Parameters): boolean {
  const shape = { batch: 1, heads: 1, kvHeads: 1, keys: 1, headDim: 8, causal: false, dtype: 'f32' } as const;
  return findVariant(variant).refuses(parameters, { ...shape, queries: 2 }) !== undefined;
}

/** `0,2-3` → 0, 2, 3. @throws USAGE */
export function parseSites(text: string): number[] {
  return text.split(',').flatMap((part) => {
    const [, first, last = first] = /^\s*(\d{1,6})(?:\s*-\s*(\d{1,6}))?\s*$/.exec(part) ?? [];
    if (first === undefined || Number(last) < Number(first))
      throw new AttnswapError('USAGE', `sites ${JSON.stringify(text)}: expected numbers and ranges, such as 0,2-3`, {
        hint: 'attnswap sites lists the sites',
      });
    return Array.from({ length: Number(last) - Number(first) + 1 }, (_, offset) => Number(first) + offset);
  });
}
