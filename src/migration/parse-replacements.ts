import type { Adapter } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import { kernelOf } from '../measure/plan-cells.ts';
import { parseVariant } from '../variants/index.ts';
import type { Replacement } from '../model/swap/swap.ts';

/**
 * Which site becomes what: each text is a variant for `sites`, or `0,2-3=variant` for its own; the last one that names a site wins.
 * @throws USAGE for what is no list of sites; UNKNOWN_VARIANT, UNKNOWN_KERNEL, INVALID_PARAMETERS
 */
export function parseReplacements(texts: readonly string[], sites: readonly number[], adapter: Adapter): Map<number, Replacement> {
  const replacements = new Map<number, Replacement>();
  for (const text of texts) {
    const [, own, variant = text] = /^([\d,\s-]+)=(.+)$/.exec(text) ?? [];
    const { variant: name, parameters } = parseVariant(variant);
    const { kernel } = kernelOf(adapter, variant);
    for (const site of own === undefined ? sites : parseSites(own)) replacements.set(site, { variant: name, kernel, parameters });
  }
  return replacements;
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
