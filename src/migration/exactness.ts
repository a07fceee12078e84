import type { GraphProto } from 'onnx-buf';
import { subgraphsOf } from '../model/graph/graph-index.ts';
import type { ModelSites } from '../model/sites/find-sites.ts';
import type { Site } from '../model/sites/site.ts';
import type { Replacement } from '../model/swap/swap.ts';

/** What must hold of a model's outputs where dense attention takes the place of dense attention. */
export interface Exactness {
  /** The largest ‖changed − original‖ / ‖original‖ that another order of sums explains. */
  readonly tolerance: number;
  /**
   * Why a larger difference may be no fault; null where it always is one. `quantized`: next to the edge of a quantizer's step a rounding
   * error becomes a whole step. `blind-rows`: causal queries whose keys are all padding, and those from which a bias hides every key, have no defined result.
   */
  readonly exception: 'quantized' | 'blind-rows' | null;
}

const quantizers = new Set(['QuantizeLinear', 'DynamicQuantizeLinear', 'DynamicQuantizeMatMul']);

const tolerances = { f32: 1e-5, f16: 1e-2 } as const;

interface Replaced {
  readonly replacements: ReadonlyMap<number, Replacement>;
  /** Further changes to the model. */
  readonly finish?: unknown;
}

/** The one rule for swaps that keep the mathematics; null for those that change it. */
export function exactnessOf({ proto, sites }: Pick<ModelSites, 'proto' | 'sites'>, replaced: Replaced): Exactness | null {
  if (!isExact(replaced)) return null;
  const tolerance = tolerances[sites.some(({ dtype }) => dtype === 'f16') ? 'f16' : 'f32'];
  const mayBeBlind = ({ causal, mask }: Site) => mask === 'bias' || (causal === true && mask === 'padding');
  const blind = [...replaced.replacements.keys()].some((site) => mayBeBlind(sites[site]!));
  return { tolerance, exception: quantizes(proto.graph!) ? 'quantized' : blind ? 'blind-rows' : null };
}

/** The mathematics of the original, summed in another order. */
export function isExact({ replacements, finish }: Replaced): boolean {
  return (
    finish === undefined && [...replacements.values()].every(({ variant, scaleFactor = 1 }) => variant === 'dense' && scaleFactor === 1)
  );
}

/** Whether a model rounds to whole steps somewhere. */
function quantizes({ node }: GraphProto): boolean {
  return node.some((each) => quantizers.has(each.opType) || subgraphsOf(each).some(quantizes));
}
