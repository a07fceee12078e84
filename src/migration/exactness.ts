import type { ModelProto } from 'onnx-buf';
import type { Replacement } from '../model/swap.ts';
import type { Migration } from './migration.ts';

/** Outputs of the same mathematics in another order of sums stay within this share of their size. */
const exactRelativeError = { f32: 1e-4, f16: 1e-2 } as const;

const quantisers = new Set(['QuantizeLinear', 'DynamicQuantizeLinear', 'DynamicQuantizeMatMul']);

/** Whether a model rounds to whole steps somewhere. */
export function quantises(proto: ModelProto): boolean {
  return proto.graph!.node.some(({ opType }) => quantisers.has(opType));
}

/**
 * How far outputs may move where dense attention takes the place of dense attention; null where rounding gives no bound:
 * behind a quantiser a rounding error becomes a whole step, and causal queries that see nothing but padding have no defined result.
 */
export function exactLimit({ sites: { proto, sites } }: Pick<Migration, 'sites'>, replaced: Iterable<number>): number | null {
  const blind = [...replaced].some((site) => sites[site]!.causal === true && sites[site]!.mask === 'padding');
  if (blind || quantises(proto)) return null;
  return exactRelativeError[sites.some(({ dtype }) => dtype === 'f16') ? 'f16' : 'f32'];
}

/** The mathematics of the original, summed in another order. */
export function isExact({ replacements, finish }: { readonly replacements: ReadonlyMap<number, Replacement>; readonly finish?: unknown }) {
  return (
    finish === undefined && [...replacements.values()].every(({ variant, scaleFactor = 1 }) => variant === 'dense' && scaleFactor === 1)
  );
}
