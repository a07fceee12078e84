import { AttnswapError } from '../../contract/errors.ts';
import { findVariant, formatVariant } from '../../variants/index.ts';
import type { Parameters } from '../../contract/variant.ts';
import type { VariantSpec } from '../../variants/index.ts';
import type { Site } from '../sites/site.ts';

/**
 * @param dimensions names of the model's dynamic dimensions
 * @throws UNSUPPORTED where a variant is defined for one number of tokens alone, and a site has others
 */
export function checkTokens({ site, node, tokens }: Site, replacement: Required<VariantSpec>, dimensions: readonly string[]): void {
  const { variant, kernel, parameters } = replacement;
  const expected = findVariant(variant).tokens?.(parameters);
  if (expected === undefined || tokens === expected) return;
  const found = tokens === undefined ? 'the number of its tokens changes from run to run' : `it has ${tokens} tokens in every run`;
  const name = formatVariant({ variant, kernel, parameters });
  throw new AttnswapError('UNSUPPORTED', `site ${site} (${node}) cannot become ${name}: ${found}, expected ${expected}`, {
    hint: `${tokens === undefined ? lengthHint(expected, dimensions) : tokensHint(tokens, expected, parameters)}, or select only the other sites with --site`,
  });
}

function lengthHint(expected: number, dimensions: readonly string[]): string {
  const length = dimensions.find((name) => !/batch/i.test(name));
  return length === undefined
    ? 'export the model with a fixed length'
    : `fix the length with --dim, for example --dim ${length}=${expected}`;
}

function tokensHint(tokens: number, expected: number, { globals = 0 }: Parameters): string {
  const grid = expected - Number(globals);
  return tokens < grid
    ? `choose a grid of ${tokens} tokens`
    : `${tokens} = ${tokens - grid} + ${grid}: write globals=${tokens - grid}, or choose another grid`;
}
