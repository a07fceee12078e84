import { AttnswapError } from '../contract/errors.ts';
import type { Parameters, ParameterSchema } from '../contract/variant.ts';

// Plain functions: every measuring process loads them, and a schema library would be more modules than all that it needs beside.

type Value = number | string;

/** What a parameter may be; it must be given. */
interface Field<Kept extends Value> {
  /** In words that follow "expected". */
  readonly expected: string;
  accepts(given: unknown): given is Kept;
}
interface DefaultField<Kept extends Value> extends Field<Kept> {
  readonly fallback: Kept;
}
interface OptionalField<Kept extends Value> extends Field<Kept> {
  readonly optional: true;
}
type Fields = Readonly<Record<string, Field<Value> & { readonly fallback?: Value; readonly optional?: true }>>;

type KeptOf<One> = One extends Field<infer Kept> ? Kept : never;
type Read<Given extends Fields> = {
  [Name in keyof Given as Given[Name] extends OptionalField<Value> ? never : Name]: KeptOf<Given[Name]>;
} & { [Name in keyof Given as Given[Name] extends OptionalField<Value> ? Name : never]?: KeptOf<Given[Name]> };

/** What a schema reads. */
export type ParametersOf<Schema> = Schema extends ParameterSchema<infer Output> ? Output : never;

export function field<Kept extends Value>(expected: string, accepts: (given: unknown) => boolean): Field<Kept> {
  return { expected, accepts: (given): given is Kept => accepts(given) };
}

/** A number that something holds of. */
export function numberField(expected: string, holds: (given: number) => boolean): Field<number> {
  return field(expected, (given) => typeof given === 'number' && holds(given));
}

/** A whole number from `least` up, to `most` where that is given. */
export function wholeNumber(least: number, most = Infinity): Field<number> {
  const expected = most === Infinity ? `a whole number ≥ ${least}` : `a whole number from ${least} to ${most}`;
  return numberField(expected, (given) => Number.isSafeInteger(given) && given >= least && given <= most);
}

/** A number x with 0 < x ≤ 1. */
export function positiveFraction(): Field<number> {
  return numberField('a number above 0 and at most 1', (given) => given > 0 && given <= 1);
}

/** A number x with 0 ≤ x < 1. */
export function properFraction(): Field<number> {
  return numberField('a number ≥ 0 and below 1', (given) => given >= 0 && given < 1);
}

export function oneOf<const Kept extends Value>(values: readonly Kept[]): Field<Kept> {
  const list = values.join(', ');
  return field(values.length === 1 ? list : `one of ${list}`, (given) => values.some((value) => value === given));
}

/** A parameter that is `fallback` where it is not given. */
export function withDefault<Kept extends Value>(of: Field<Kept>, fallback: Kept): DefaultField<Kept> {
  return { ...of, fallback };
}

/** A parameter that may be left out. */
export function optional<Kept extends Value>(of: Field<Kept>): OptionalField<Kept> {
  return { ...of, optional: true };
}

/** Parameters by their names; any other name is refused, and so is what `refuses` has a reason against. */
export function parameterObject<Given extends Fields>(
  fields: Given,
  refuses: (read: Read<Given>) => string | undefined = () => undefined,
): ParameterSchema<Read<Given>> {
  const known = Object.keys(fields).join(', ') || 'none';
  return {
    defaults: Object.fromEntries(Object.entries(fields).map(([name, { fallback }]) => [name, fallback])),
    read(given) {
      if (typeof given !== 'object' || given === null) return { refusal: 'expected an object of parameters' };
      const unknown = Object.keys(given).filter((name) => !Object.hasOwn(fields, name));
      if (unknown.length > 0) return { refusal: `unknown parameter ${unknown.map((name) => `"${name}"`).join(', ')}; expected ${known}` };
      const read: Record<string, Value> = {};
      for (const [name, { fallback, optional: mayLack, expected, accepts }] of Object.entries(fields)) {
        const value = given[name] === undefined ? fallback : given[name];
        if (value === undefined && mayLack === true) continue;
        if (!accepts(value)) return { refusal: `${name} is ${JSON.stringify(value) ?? 'missing'}, expected ${expected}` };
        read[name] = value;
      }
      const parameters = read as Read<Given>;
      const refusal = refuses(parameters);
      return refusal === undefined ? { parameters } : { refusal };
    },
  };
}

/** The same parameters in another form. */
export function settledAs<Given extends Parameters, Output extends Parameters>(
  schema: ParameterSchema<Given>,
  settle: (read: Given) => Output,
): ParameterSchema<Output> {
  return {
    ...schema,
    read(given) {
      const read = schema.read(given);
      return 'refusal' in read ? read : { parameters: settle(read.parameters) };
    },
  };
}

/**
 * Validates parameters and fills in defaults.
 * @throws INVALID_PARAMETERS naming the parameter, what was given and what is expected.
 */
export function readParameters<Output extends Parameters>(name: string, schema: ParameterSchema<Output>, given: Parameters): Output {
  const read = schema.read(given);
  if ('parameters' in read) return read.parameters;
  throw new AttnswapError('INVALID_PARAMETERS', `${name}: ${read.refusal}`, { hint: 'write parameters as name:key=value,key=value' });
}
