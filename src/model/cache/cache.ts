import type { ModelInput } from '../../contract/adapter.ts';
import type { Tensors } from '../../contract/tensor.ts';

/** A tensor of a decoder's cache: the input that takes what is cached, and the output that hands it on. */
export interface CachePart {
  readonly input: string;
  readonly output: string;
  /** The axis that counts tokens: the tensor grows along it, or is a buffer with room for them. Null where it stays as it is, such as keys of an encoder. */
  readonly axis: number | null;
  /** Bytes of an element as the model keeps it. */
  readonly elementBytes: number;
}

/** What an input holds of the new tokens of a call, and so how it follows from one call to the next. */
export type Role =
  /** Ids of the new tokens, `[batch, tokens]`. */
  | 'ids'
  /** Which keys count, `[batch, cached + tokens]`. */
  | 'mask'
  /** Positions of the new tokens along its last axis. */
  | 'positions'
  /** A value of each new token that the next token shares, such as its type. */
  | 'repeated'
  /** How many tokens there are, cached and new, or the place of the last one. */
  | 'count'
  /** How many are cached: the place of the first new one. */
  | 'start'
  /** Whether anything is cached. */
  | 'switch';

/** A decoder's cache, and how its other inputs follow the tokens. */
export interface Cache {
  readonly parts: readonly CachePart[];
  /** By name of the input; an input that is absent here stays the same from call to call. */
  readonly roles: Readonly<Record<string, Role>>;
  /** The output that holds a logit for every word of the vocabulary, `[batch, tokens, words]`; null where there is none. */
  readonly logits: string | null;
  /** Most tokens of the model, cached and new; null where that is not known. */
  readonly longest: number | null;
  /** The small run that showed it: inputs with something cached. */
  readonly shown: Tensors;
}

/**
 * The roles of a model's inputs by their names and types, cached tensors aside. They are believed once a call behind a cache gave what one call
 * over all tokens gives: see `driveFault`.
 */
export function rolesOf(inputs: readonly ModelInput[], cached: ReadonlySet<string>): Record<string, Role> {
  const found = inputs.flatMap((input): Array<[string, Role]> => {
    const role = cached.has(input.name) ? undefined : roleOf(input);
    return role === undefined ? [] : [[input.name, role]];
  });
  return Object.fromEntries(found);
}

function roleOf({ name, type, dims }: ModelInput): Role | undefined {
  // What belongs to an encoder is the same at every step.
  if (/encoder/i.test(name.replaceAll(/decoder/gi, ''))) return undefined;
  if (type === 'bool' && dims.every((size) => size === 1)) return 'switch';
  if (type.startsWith('float')) return undefined;
  if (/write.?ind/i.test(name)) return 'start';
  if (/input_ids$|^tokens?$/i.test(name)) return 'ids';
  if (/position/i.test(name)) return 'positions';
  if (/mask/i.test(name)) return dims.length === 2 ? 'mask' : undefined;
  if (/type/i.test(name)) return 'repeated';
  return /seq|len|total|past/i.test(name) ? 'count' : undefined;
}
