import { oneOf, optional, parameterObject, positiveFraction, readParameters, withDefault } from '../parameter-types.ts';
import type { Parameters } from '../../contract/variant.ts';

/** How a key changes the state: added, added to a decayed state, written in place of what the key held, or both. */
export const linearRules = ['linear', 'gated', 'delta', 'gated-delta'] as const;
export type LinearRule = (typeof linearRules)[number];

/** elu(x) + 1, max(x, 0), or x itself. */
export const featureMaps = ['elu', 'relu', 'identity'] as const;
export type FeatureMap = (typeof featureMaps)[number];

const fields = {
  rule: withDefault(oneOf(linearRules), 'linear'),
  map: optional(oneOf(featureMaps)),
  norm: optional(oneOf(['sum', 'none'])),
  decay: optional(positiveFraction()),
  beta: optional(positiveFraction()),
};

const isDelta = (rule: LinearRule): boolean => rule === 'delta' || rule === 'gated-delta';
const isGated = (rule: LinearRule): boolean => rule === 'gated' || rule === 'gated-delta';
const mayBeNegative = ({ rule, map }: { rule: LinearRule; map?: FeatureMap }): boolean => isDelta(rule) || map === 'identity';

export const linearParameters = parameterObject(fields, (read) => {
  if (read.decay !== undefined && !isGated(read.rule)) return 'got decay, expected only with rule=gated or gated-delta';
  if (read.beta !== undefined && !isDelta(read.rule)) return 'got beta, expected only with rule=delta or gated-delta';
  return read.norm === 'sum' && mayBeNegative(read)
    ? 'got norm=sum where weights may be negative and their sum 0: expected norm=none with a delta rule or map=identity'
    : undefined;
});

/** The parameters with what follows from the rule where they leave it open. */
export interface LinearSettings {
  readonly rule: LinearRule;
  readonly map: FeatureMap;
  /** Whether mapped queries and keys are divided by their length, as the delta rules need. */
  readonly unitLength: boolean;
  /** Whether the output is divided by the sum of its weights; otherwise it is multiplied by the scale. */
  readonly normalized: boolean;
  /** The share of what a key held that writing replaces; undefined where keys are added. */
  readonly beta: number | undefined;
  /** By how much each unpadded key decays the state of a key/value head. */
  decayOf(kvHead: number): number;
}

/** @throws INVALID_PARAMETERS */
export function linearSettings(given: Parameters): LinearSettings {
  const read = readParameters('linear', linearParameters, given);
  const { rule, decay } = read;
  return {
    rule,
    map: read.map ?? (isDelta(rule) ? 'identity' : 'elu'),
    unitLength: isDelta(rule),
    normalized: (read.norm ?? (mayBeNegative(read) ? 'none' : 'sum')) === 'sum',
    beta: isDelta(rule) ? (read.beta ?? 1) : undefined,
    decayOf: (kvHead) => (isGated(rule) ? (decay ?? 1 - 2 ** (-5 - kvHead)) : 1),
  };
}
