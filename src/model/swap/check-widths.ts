import { AttnswapError } from '../../contract/errors.ts';
import { formatVariant } from '../../variants/index.ts';
import type { VariantSpec } from '../../variants/index.ts';
import { linearSettings } from '../../variants/linear/parameters.ts';
import type { Site } from '../sites/site.ts';

/**
 * Queries and keys narrower than values get zeros behind them, which change nothing but in `linear` with map=elu: elu(0) + 1 is 1, so that each
 * would add 1 to every weight.
 * @throws UNSUPPORTED there
 */
export function checkWidths({ site, node, widths }: Pick<Site, 'site' | 'node' | 'widths'>, replacement: Required<VariantSpec>): void {
  const { variant, kernel, parameters } = replacement;
  if (widths === undefined || widths.keys >= widths.values) return;
  if (variant !== 'linear' || linearSettings(parameters).map !== 'elu') return;
  const name = formatVariant({ variant, kernel, parameters });
  const reason = `its queries and keys (width ${widths.keys}) would get zeros up to the width of its values (${widths.values}), and map=elu makes each of them 1`;
  throw new AttnswapError('UNSUPPORTED', `site ${site} (${node}) cannot become ${name}: ${reason}`, {
    hint: 'write map=relu, or select only the other sites with --site',
  });
}
