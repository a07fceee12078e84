import { AttnswapError } from '../../contract/errors.ts';
import { findVariant, formatVariant } from '../../variants/index.ts';
import type { VariantSpec } from '../../variants/index.ts';
import type { Site } from '../sites/site.ts';

/** @throws UNSUPPORTED where a variant is defined for one number of tokens alone, and a site has others */
export function checkTokens({ site, node, tokens }: Site, replacement: Required<VariantSpec>): void {
  const { variant, kernel, parameters } = replacement;
  const expected = findVariant(variant).tokens?.(parameters);
  if (expected === undefined || tokens === expected) return;
  const found = tokens === undefined ? 'the number of its tokens changes from run to run' : `it has ${tokens} tokens in every run`;
  const name = formatVariant({ variant, kernel, parameters });
  throw new AttnswapError('UNSUPPORTED', `site ${site} (${node}) cannot become ${name}: ${found}, expected ${expected}`, {
    hint: 'fix the sizes with --dim, change grid or globals, or select only the other sites with --site',
  });
}
