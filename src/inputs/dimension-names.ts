import type { ModelInput } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import { nearestName } from '../variants/nearest-name.ts';

type Axes = Pick<ModelInput, 'name' | 'dims'>;

/** An input's sizes, or the names under which they can be given: of a dynamic dimension without a name, the input and the axis (`input.0`). */
export function givenDims({ name, dims }: Axes): Array<number | string> {
  return dims.map((size, axis) => (size === '' ? `${name}.${axis}` : size));
}

/** The names under which sizes can be given: those of all dynamic dimensions, and of the parts of a sum such as `past + sequence`. */
export function dimensionNames(inputs: readonly Axes[]): ReadonlySet<string> {
  const names = inputs.flatMap((input) => givenDims(input).filter((size) => typeof size === 'string'));
  return new Set(names.flatMap((name) => [name, ...partsOf(name).filter((part) => !isNumber(part))]));
}

/** Of a sum such as `past + sequence + 1`; of another name none. */
function partsOf(name: string): string[] {
  const parts = name.split('+').map((part) => part.trim());
  return parts.length > 1 && !parts.includes('') ? parts : [];
}

const isNumber = (part: string) => /^\d+$/.test(part);

/** The size of a sum by its parts; undefined where the name is no sum, or a part's size is not known. */
export function sumOfParts(name: string, sizeOf: (part: string) => number | undefined): number | undefined {
  const parts = partsOf(name);
  if (parts.length === 0) return undefined;
  const sum = parts.reduce((total, part) => total + (isNumber(part) ? Number(part) : (sizeOf(part) ?? NaN)), 0);
  return Number.isNaN(sum) ? undefined : sum;
}

/** @throws USAGE for a size of a dimension that is none of those of `model` */
export function requireDimensions(given: Readonly<Record<string, number>>, known: ReadonlySet<string>, model: string): void {
  const unknown = Object.entries(given).find(([name]) => !known.has(name));
  if (unknown === undefined) return;
  const [name, size] = unknown;
  const near = nearestName(name, [...known]);
  const expected = known.size === 0 ? 'which has none to set' : `expected ${[...known].join(', ')}`;
  throw new AttnswapError('USAGE', `--dim ${name}: no input of ${model} has this dynamic dimension, ${expected}`, {
    hint: near === undefined ? 'name one of them, or omit it' : `did you mean --dim ${near}=${size}?`,
  });
}
