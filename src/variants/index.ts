import { AttnswapError } from '../contract/errors.ts';
import type { Parameters, Variant } from '../contract/variant.ts';
import { blockTopk } from './block-topk/index.ts';
import { dense } from './dense/index.ts';
import { gated } from './gated/index.ts';
import { gridWindow } from './grid-window/index.ts';
import { hierarchical } from './hierarchical/index.ts';
import { linear } from './linear/index.ts';
import { nearestName } from './nearest-name.ts';
import { settleParameters } from './settle-parameters.ts';
import { topk } from './topk/index.ts';
import { window } from './window/index.ts';

const hint = 'write variants as name[.kernel][:key=value,…], such as topk:k=32';
const decimalNumber = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;

/** Every variant, in the order that listings show them. */
export const variants: readonly Variant[] = [dense, topk, window, gridWindow, gated, hierarchical, blockTopk, linear];

/**
 * The variant of that name.
 * @throws UNKNOWN_VARIANT with the nearest name and the list
 */
export function findVariant(name: string): Variant {
  const found = variants.find((variant) => variant.name === name);
  if (found !== undefined) return found;
  const names = variants.map((variant) => variant.name);
  const near = nearestName(name, names);
  throw new AttnswapError('UNKNOWN_VARIANT', `unknown variant ${JSON.stringify(name)}, expected one of ${names.join(', ')}`, {
    hint: near === undefined ? hint : `did you mean ${near}?`,
  });
}

/** A variant as a user writes it: `name[.kernel][:key=value,…]`, with defaults filled in. */
export interface VariantSpec {
  readonly variant: string;
  /** The part after the dot; absent: the backend's default kernel. */
  readonly kernel?: string;
  readonly parameters: Parameters;
}

/** @throws UNKNOWN_VARIANT, INVALID_PARAMETERS */
export function parseVariant(text: string): VariantSpec {
  const match = /^(?<name>[a-z0-9-]+)(?:\.(?<kernel>[a-z0-9-]+))?(?::(?<list>.*))?$/.exec(text.trim());
  if (match === null) {
    throw new AttnswapError('INVALID_PARAMETERS', `variant: got ${JSON.stringify(text)}, expected name[.kernel][:key=value,…]`, { hint });
  }
  const { name = '', kernel, list } = match.groups as { name?: string; kernel?: string; list?: string };
  const parameters = validParameters(name, list === undefined ? {} : readList(name, list));
  return { variant: name, parameters, ...(kernel === undefined ? {} : { kernel }) };
}

/** Validates parameters and fills in defaults. @throws UNKNOWN_VARIANT, INVALID_PARAMETERS */
export function validParameters(name: string, given: Parameters): Parameters {
  return settleParameters(findVariant(name), given);
}

/** The notation of a spec, which {@link parseVariant} reads back. Parameters at their default are left out. */
export function formatVariant(spec: VariantSpec): string {
  const defaults = validParameters(spec.variant, {});
  const list = Object.entries(spec.parameters).filter(([key, value]) => defaults[key] !== value);
  const head = spec.kernel === undefined ? spec.variant : `${spec.variant}.${spec.kernel}`;
  return list.length === 0 ? head : `${head}:${list.map(([key, value]) => `${key}=${value}`).join(',')}`;
}

function readList(name: string, list: string): Parameters {
  const parameters = new Map<string, number | string>();
  for (const part of list.split(',')) {
    const match = /^([a-z]+)=(.+)$/.exec(part.trim());
    if (match === null || parameters.has(match[1]!)) {
      throw new AttnswapError('INVALID_PARAMETERS', `${name}: got ${JSON.stringify(part)}, expected key=value, each key once`, { hint });
    }
    const value = match[2]!.trim();
    parameters.set(match[1]!, decimalNumber.test(value) ? Number(value) : value);
  }
  return Object.fromEntries(parameters);
}
