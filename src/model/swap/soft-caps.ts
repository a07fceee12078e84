import type { Adapter, KernelDescription } from '../../contract/adapter.ts';
import { AttnswapError } from '../../contract/errors.ts';
import type { VariantSpec } from '../../variants/index.ts';
import type { Site } from '../sites/site.ts';

type Replacement = Required<Pick<VariantSpec, 'variant' | 'kernel'>>;
type Capped = Pick<Site, 'site' | 'node' | 'softcap'>;

/** Where a site's new attention would lose its cap; undefined where it has none, or keeps it everywhere. */
function ignoredBy({ kernels }: Adapter, { softcap }: Capped, replacement: Replacement | undefined): KernelDescription['capIgnored'] {
  if (softcap === undefined || replacement === undefined) return undefined;
  return kernels.find(({ variant, kernel }) => variant === replacement.variant && kernel === replacement.kernel)?.capIgnored;
}

/** @throws UNSUPPORTED where `backend` would ignore the cap of a site's new attention */
export function checkSoftcap(at: Capped, replacement: Replacement, adapter: Adapter, backend: string): void {
  const ignored = ignoredBy(adapter, at, replacement);
  const reason = ignored?.on[backend];
  if (reason === undefined) return;
  const { variant, kernel } = replacement;
  throw new AttnswapError('UNSUPPORTED', `site ${at.site} (${at.node}) cannot become ${variant}.${kernel}: ${reason}`, {
    hint: `use ${ignored!.instead}, which computes the cap itself`,
  });
}

/** What is to be told of new attention that would lose its site's cap on some backend; a text for each reason. */
export function capWarnings(sites: readonly Capped[], replacements: ReadonlyMap<number, Replacement>, adapter: Adapter): string[] {
  const found = sites.flatMap((at) => {
    const { on = {}, instead } = ignoredBy(adapter, at, replacements.get(at.site)) ?? {};
    return [...new Set(Object.values(on))].map((reason) => ({
      site: at.site,
      text: `${reason}: use ${instead} if the new model is to run there`,
    }));
  });
  return [...Map.groupBy(found, ({ text }) => text)].map(
    ([text, all]) => `${all.length === 1 ? 'site' : 'sites'} ${all.map(({ site }) => site).join(', ')}: ${text}`,
  );
}
