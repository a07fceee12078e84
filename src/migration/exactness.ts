import { covers, denseSpan } from '../contract/span.ts';
import { quantizes } from '../model/graph/quantizes.ts';
import type { ModelSites } from '../model/sites/find-sites.ts';
import type { Site } from '../model/sites/site.ts';
import type { Replacement } from '../model/swap/swap.ts';
import { findVariant } from '../variants/index.ts';

/** What must hold of a model's outputs where new attention sees the same keys as the old. */
export interface Exactness {
  /** The largest ‖changed − original‖ / ‖original‖ that another order of sums explains. */
  readonly tolerance: number;
  /**
   * Why a larger difference may be no fault; null where it always is one. `quantized`: next to the edge of a quantizer's step a rounding
   * error becomes a whole step. `blind-rows`: causal queries whose keys are all padding, and those from which a window or a bias hides every key, have no defined result.
   */
  readonly exception: 'quantized' | 'blind-rows' | null;
}

const tolerances = { bf16: 1e-1, f16: 1e-2, f32: 1e-5 } as const;

/** A model with its sites; its graph where it has one. */
export type Exactable = Pick<ModelSites, 'sites'> & Partial<Pick<ModelSites, 'proto'>>;

export interface Replaced {
  readonly replacements: ReadonlyMap<number, Replacement>;
  /** Values of layer norms that are changed, too. */
  readonly norms?: unknown;
  /** Trained parts of linear maps. */
  readonly adapters?: unknown;
}

/** The one rule for swaps that keep the mathematics; null for those that change it. */
export function exactnessOf({ proto, sites }: Exactable, replaced: Replaced): Exactness | null {
  if (!isExact(sites, replaced)) return null;
  const coarse = (['bf16', 'f16'] as const).find((known) => sites.some(({ dtype }) => dtype === known));
  const tolerance = tolerances[coarse ?? 'f32'];
  const mayBeBlind = ({ causal, mask }: Site) => mask === 'bias' || mask === 'window' || (causal === true && mask === 'padding');
  const blind = [...replaced.replacements.keys()].some((site) => mayBeBlind(sites[site]!));
  return { tolerance, exception: proto?.graph !== undefined && quantizes(proto.graph) ? 'quantized' : blind ? 'blind-rows' : null };
}

/** The mathematics of the original, summed in another order. */
export function isExact(sites: readonly Site[], { replacements, norms, adapters }: Replaced): boolean {
  const same = norms === undefined && adapters === undefined;
  return same && [...replacements].every(([site, replacement]) => seesAll(sites[site]!, replacement));
}

/** Whether new attention sees every key that the site's own mask lets through, and scales it alike; where a site rounds, none gives the same. */
export function seesAll({ window, causal, rounds }: Site, { variant, parameters, scaleFactor = 1 }: Replacement): boolean {
  const seen = findVariant(variant).span?.(parameters, causal === true);
  return scaleFactor === 1 && rounds === undefined && seen !== undefined && covers(seen, window ?? denseSpan(causal === true));
}
