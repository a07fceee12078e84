import { AttnswapError } from '../contract/errors.ts';
import type { Parameters, Variant } from '../contract/variant.ts';
import { blockTopk } from './block-topk/index.ts';
import { dense } from './dense/index.ts';
import { gated } from './gated/index.ts';
import { hierarchical } from './hierarchical/index.ts';
import { readParameters } from './parameter-types.ts';
import { topk } from './topk/index.ts';
import { window } from './window/index.ts';

export const variants: readonly Variant[] = [dense, topk, window, gated, hierarchical, blockTopk];

/** @throws UNKNOWN_VARIANT */
export function findVariant(name: string): Variant {
  const found = variants.find((variant) => variant.name === name);
  if (found !== undefined) return found;
  const names = variants.map((variant) => variant.name).join(', ');
  throw new AttnswapError('UNKNOWN_VARIANT', `unknown variant ${JSON.stringify(name)}, expected one of ${names}`, {
    hint: 'write variants as name[.kernel][:key=value,…], such as topk:k=32',
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
  const match = /^(?<name>[a-z-]+)(?:\.(?<kernel>[a-z-]+))?(?::(?<list>.*))?$/.exec(text.trim());
  if (match === null)
    throw new AttnswapError('INVALID_PARAMETERS', `variant ${JSON.stringify(text)}: expected name[.kernel][:key=value,…]`);
  const { name = '', kernel, list } = match.groups as { name?: string; kernel?: string; list?: string };
  const parameters = validParameters(name, list === undefined ? {} : readList(name, list));
  return { variant: name, parameters, ...(kernel === undefined ? {} : { kernel }) };
}

/** Validates parameters and fills in defaults. @throws UNKNOWN_VARIANT, INVALID_PARAMETERS */
export function validParameters(name: string, given: Parameters): Parameters {
  return readParameters(name, findVariant(name).parameters, given);
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
      throw new AttnswapError('INVALID_PARAMETERS', `${name}: got ${JSON.stringify(part)}, expected key=value, each key once`);
    }
    const value = Number(match[2]);
    parameters.set(match[1]!, Number.isNaN(value) ? match[2]! : value);
  }
  return Object.fromEntries(parameters);
}
