import { z } from 'zod';
import { AttnswapError } from '../contract/errors.ts';
import type { Parameters } from '../contract/variant.ts';

/** A whole number from `least` up. */
export function wholeNumber(least: number) {
  const error = `a whole number ≥ ${least}`;
  return z.int({ error }).min(least, { error });
}

/** A number x with 0 < x ≤ 1. */
export function positiveFraction() {
  const error = 'a number above 0 and at most 1';
  return z.number({ error }).gt(0, { error }).lte(1, { error });
}

/** A number x with 0 ≤ x < 1. */
export function properFraction() {
  const error = 'a number ≥ 0 and below 1';
  return z.number({ error }).gte(0, { error }).lt(1, { error });
}

/**
 * Validates parameters and fills in defaults.
 * @throws INVALID_PARAMETERS naming the parameter, what was given and what is expected.
 */
export function readParameters<Output extends Parameters>(name: string, schema: z.ZodType<Output>, given: Parameters): Output {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const message = `${name}: ${describeIssue(issue, given)}`;
  throw new AttnswapError('INVALID_PARAMETERS', message, { hint: 'write parameters as name:key=value,key=value', cause: result.error });
}

function describeIssue(issue: z.core.$ZodIssue, given: Parameters): string {
  if (issue.code === 'unrecognized_keys') return `unknown parameter ${issue.keys.map((key) => `"${key}"`).join(', ')}; ${issue.message}`;
  const parameter = issue.path.join('.');
  if (parameter === '') return issue.message;
  return `${parameter} is ${JSON.stringify(given[parameter]) ?? 'missing'}, expected ${issue.message}`;
}

/** A strict object of parameters whose refusal of an unknown name lists the known ones. */
export function parameterObject<Fields extends z.core.$ZodLooseShape>(fields: Fields) {
  const names = Object.keys(fields);
  const known = names.length === 0 ? 'expected none' : `expected ${names.join(', ')}`;
  return z.strictObject(fields, { error: (issue) => (issue.code === 'unrecognized_keys' ? known : 'expected an object of parameters') });
}
