import type { Parameters, Variant } from '../contract/variant.ts';
import { readParameters } from './parameter-types.ts';

/** The variant's parameters, validated and with defaults filled in. @throws INVALID_PARAMETERS */
export function settleParameters(variant: Variant, given: Parameters): Parameters {
  return readParameters(variant.name, variant.parameters, given);
}
