import { AttnswapError } from '../../contract/errors.ts';

/** The error for a model file that cannot be used: `what` says where, got and expected; the file goes before it. */
export function invalidModel(path: string, what: string, hint?: string): AttnswapError {
  return new AttnswapError('INVALID_MODEL', `${path}: ${what}`, hint === undefined ? {} : { hint });
}

/** An untrusted name as it may stand in a message: quoted, control characters escaped, 100 characters at most. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > 100 ? `${name.slice(0, 99)}…` : name);
}
