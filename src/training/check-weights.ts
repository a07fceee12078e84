import { AttnswapError } from '../contract/errors.ts';
import { parametersOf } from './testbed.ts';
import type { Testbed } from './testbed.ts';

/** A testbed's parameters by name, row-major f32. */
export type Weights = ReadonlyMap<string, Float32Array>;

/** An INVALID_INPUTS about the weights in `source`. */
export function weightsError(source: string, problem: string): AttnswapError {
  return new AttnswapError('INVALID_INPUTS', `${source}: ${problem}`, { hint: 'use the weights with the testbed they were trained for' });
}

/** Elements of a tensor. */
export function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Refuses names that the testbed has not, and those that it misses. @throws INVALID_INPUTS */
export function checkNames(testbed: Testbed, names: Iterable<string>, source: string): void {
  const got = new Set(names);
  const expected = new Set(parametersOf(testbed).map(({ name }) => name));
  const missing = [...expected].find((name) => !got.has(name));
  if (missing !== undefined) throw weightsError(source, `no tensor ${missing}, expected the testbed's ${expected.size} parameters`);
  const unknown = [...got].find((name) => !expected.has(name));
  if (unknown === undefined) return;
  throw weightsError(source, `tensor ${JSON.stringify(unknown.slice(0, 100))} is not one of the testbed's ${expected.size} parameters`);
}

/** Refuses values that are not finite: training that diverged. @throws INVALID_INPUTS */
export function checkFinite(name: string, values: Float32Array, source: string): void {
  const wrong = values.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) throw weightsError(source, `${name} holds ${values[wrong]} at element ${wrong}, expected finite numbers`);
}

/** Refuses weights that are not this testbed's. @throws INVALID_INPUTS naming the tensor, got and expected */
export function checkWeights(testbed: Testbed, weights: Weights, source: string): void {
  checkNames(testbed, weights.keys(), source);
  for (const { name, shape } of parametersOf(testbed)) {
    const values = weights.get(name)!;
    if (values.length !== elementsOf(shape))
      throw weightsError(source, `${name} holds ${values.length} elements, expected ${elementsOf(shape)} for [${shape.join(', ')}]`);
    checkFinite(name, values, source);
  }
}
