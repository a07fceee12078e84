import type { Parameters } from '../../contract/variant.ts';

/** A task as `taskOf` reads it back: every parameter spelt out, so that a record says what was measured. */
export function taskName(name: string, parameters: Parameters): string {
  return `${name}:${Object.entries(parameters)
    .map(([key, value]) => `${key}=${value}`)
    .join(',')}`;
}
