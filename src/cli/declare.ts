import type { CommonFlags, ExitCode } from './console.ts';

/** Turns what a user wrote into a value; of options that repeat, `before` is what was given so far. @throws InvalidArgumentError */
export type Parse<Value> = (text: string, before: Value | undefined) => Value;

/** A value that the help can show. */
type Shown = string | number | boolean;

/** An option; its name is its key in the table, in kebab case. */
export interface OptionSpec<Value> {
  readonly help: string;
  /** What its value is called, such as `<file>`. Absent: a flag. */
  readonly value?: string;
  // A method, so that a table of options of all types is a table of options of unknown type.
  parse?(text: string, before: NonNullable<Value> | undefined): NonNullable<Value>;
  readonly choices?: readonly string[];
  /** What the operation takes where the option is not given, as the help shows it. */
  readonly default?: Shown | readonly Shown[];
  readonly required?: boolean;
  /** Whether `--no-<name>` exists too. */
  readonly negatable?: boolean;
  /** What its value names, where the command writes there: checked before it runs. */
  readonly writes?: Written;
  /** Heading in the help; the common options have none. */
  readonly group?: string;
  /** Not listed: the help of another option, or of every command, tells of it. */
  readonly hidden?: boolean;
  /** An old spelling: works, is not listed, and this is said of it. */
  readonly deprecated?: string;
  /** An option of another command: refused with this hint, and not listed. */
  readonly refused?: string;
}

/** An argument, in the order of the table. */
export interface ArgumentSpec<Value> {
  readonly help: string;
  readonly kind: 'required' | 'optional' | 'rest' | 'optionalRest';
  /** Never set: what the argument is parsed to. */
  readonly value?: Value;
}

type Options = Readonly<Record<string, OptionSpec<unknown>>>;
type Arguments = Readonly<Record<string, ArgumentSpec<unknown>>>;
type ValueOf<Spec> = Spec extends OptionSpec<infer Value> | ArgumentSpec<infer Value> ? Value : never;

/** What a command was given: arguments and options, by name. */
export type Given<A extends Arguments, O extends Options> = { readonly [Key in keyof A]: ValueOf<A[Key]> } & {
  readonly [Key in keyof O]: ValueOf<O[Key]>;
} & CommonFlags;

/** A command, declared once: what it takes, how it is explained, and what it does. */
export interface CommandSpec<A extends Arguments = Arguments, O extends Options = Options> {
  /** `bench`, or `baseline save`. */
  readonly name: string;
  /** A sentence without its capital and full stop. */
  readonly summary: string;
  readonly arguments: A;
  readonly options: O;
  readonly examples: readonly string[];
  /** What the exit codes mean that it gives beside 0 and 5. */
  readonly exits?: Readonly<Partial<Record<ExitCode, string>>>;
  /** Resolves to the exit code. Loads what it needs: nothing else does. */
  run(given: Given<A, O>): Promise<ExitCode>;
}

/** Types `run` by what is declared beside it. */
export function defineCommand<const A extends Arguments, const O extends Options>(spec: CommandSpec<A, O>): CommandSpec {
  return spec;
}

/** What a place takes: `either` is a folder where there is one, else a file. */
type Written = 'file' | 'folder' | 'either';

/** An option that names where the command writes. */
export function place<Value>(writes: Written, spec: OptionSpec<Value>): OptionSpec<Value> {
  return { ...spec, writes };
}

export function flag(help: string): OptionSpec<boolean | undefined> {
  return { help };
}

/** A flag with its opposite: undefined where neither is given. */
export function toggle(help: string): OptionSpec<boolean | undefined> {
  return { help, negatable: true };
}

export function option(value: string, help: string): OptionSpec<string | undefined>;
export function option<Value>(value: string, help: string, parse: Parse<Value>): OptionSpec<Value | undefined>;
export function option<Value>(value: string, help: string, parse?: Parse<Value>): OptionSpec<Value | undefined> {
  return { value, help, ...(parse && { parse: parse as Parse<NonNullable<Value>> }) };
}

export function choice<Choice extends string>(value: string, choices: readonly Choice[], help: string): OptionSpec<Choice | undefined> {
  return { value, help, choices };
}

export function required<Value>(spec: OptionSpec<Value | undefined>): OptionSpec<Value> {
  return { ...spec, required: true } as OptionSpec<Value>;
}

/** Shows what the operation takes where the option is not given; the operation sees to it. */
export function withDefault<Value extends Shown | readonly Shown[] | undefined>(
  value: NonNullable<NoInfer<Value>>,
  spec: OptionSpec<Value>,
): OptionSpec<Value> {
  return { ...spec, default: value };
}

/** An option that the help of another one tells of. */
export function hidden<Value>(spec: OptionSpec<Value>): OptionSpec<Value> {
  return { ...spec, hidden: true };
}

/** Options under a heading of their own. */
export function inGroup<O extends Options>(group: string, options: O): O {
  return Object.fromEntries(Object.entries(options).map(([name, spec]) => [name, { ...spec, group }])) as unknown as O;
}

/** Options of another command, refused by name. */
export function refused(names: readonly string[], hint: string): Readonly<Record<string, OptionSpec<undefined>>> {
  return Object.fromEntries(names.map((name) => [name, { help: '', value: '<value>', refused: hint }]));
}

export function argument(help: string): ArgumentSpec<string> {
  return { help, kind: 'required' };
}

export function optionalArgument(help: string): ArgumentSpec<string | undefined> {
  return { help, kind: 'optional' };
}

export function restArguments(help: string): ArgumentSpec<readonly string[]> {
  return { help, kind: 'rest' };
}

/** As many as there are, or none. */
export function optionalArguments(help: string): ArgumentSpec<readonly string[]> {
  return { help, kind: 'optionalRest' };
}
