import { inspect } from 'node:util';
import { AttnswapError } from '../contract/errors.ts';
import { tensorTypes } from '../contract/tensor.ts';
import type { Tensor } from '../contract/tensor.ts';
import { maximumElements } from '../inputs/check-shape.ts';
import { elementTypes } from './element-types.ts';
import { clip } from '../text/layout.ts';

/** Dimensions of one tensor at most. */
export const maximumRank = 8;

/** Most of a problem that is told: it may quote what a file holds. */
const mostTold = 1000;

/** An INVALID_DATA about `source`. */
export function invalidData(source: string, problem: string, options: { hint?: string; cause?: unknown } = {}): AttnswapError {
  return new AttnswapError('INVALID_DATA', `${source}: ${clip(problem, mostTold)}`, options);
}

/** A value of whatever kind in a few words. */
export function shown(value: unknown): string {
  const text = inspect(value, { depth: 1, breakLength: Infinity, maxArrayLength: 10, maxStringLength: 100 });
  return clip(text, 200);
}

/** Elements of a tensor of these sizes. @throws INVALID_DATA for an impossible shape or more than 2³¹ elements */
export function elementsOf(dims: readonly number[], source: string): number {
  if (dims.length > maximumRank) throw invalidData(source, `has ${dims.length} dimensions, expected at most ${maximumRank}`);
  const possible = dims.every((size) => Number.isSafeInteger(size) && size >= 0 && size <= maximumElements);
  const elements = possible ? dims.reduce((product, size) => product * size, 1) : Infinity;
  if (elements <= maximumElements) return elements;
  throw invalidData(
    source,
    `has shape [${dims.map(shown).join(', ')}], expected whole numbers ≥ 0 and at most ${maximumElements} elements`,
  );
}

/**
 * Checks that a value from outside is a tensor: a known type, its array, and as many elements as its dimensions say.
 * @throws INVALID_DATA naming `source`, got and expected
 */
export function checkTensor(value: unknown, source: string): asserts value is Tensor {
  const { type, dims, data } = Object(value) as { type?: unknown; dims?: unknown; data?: unknown };
  const known = tensorTypes.find((name) => name === type);
  if (known === undefined)
    throw invalidData(
      source,
      `type is ${typeof type === 'string' ? type.slice(0, 40) : shown(type)}, expected one of ${tensorTypes.join(', ')}`,
    );
  if (!Array.isArray(dims)) throw invalidData(source, 'dims is not an array');
  const elements = elementsOf(dims as number[], source);
  const { array } = elementTypes[known];
  if (!(data instanceof array)) throw invalidData(source, `data of type ${known} is not a ${array.name}`);
  if (data.length !== elements)
    throw invalidData(source, `data holds ${data.length} elements, expected ${elements} for [${dims.join(', ')}]`);
  if (known === 'bool') checkTruths(data as Uint8Array, source);
}

/** @throws INVALID_DATA where a bool is neither 0 nor 1 */
export function checkTruths(data: Uint8Array, source: string): void {
  const wrong = data.findIndex((value) => value > 1);
  if (wrong >= 0) throw invalidData(source, `bool element ${wrong} is ${data[wrong]}, expected 0 or 1`);
}
