import type { ModelInput } from '../../contract/adapter.ts';
import type { Tensor, Tensors } from '../../contract/tensor.ts';
import { sumOfParts } from '../../inputs/dimension-names.ts';
import { drawModelInputs, tensorOf } from '../../inputs/model-inputs.ts';
import type { DimensionSizes } from '../../inputs/model-inputs.ts';
import { repeatedTo } from '../../inputs/model-inputs.ts';
import { numbersOf } from './mask-sources.ts';
import { drawStyled } from './input-domains.ts';
import type { Domains, Style } from './input-domains.ts';

/** One run of a model: how large, and how the inputs that reach its masks are drawn. */
export interface ProbeCase {
  readonly batch: number;
  readonly length: number;
  readonly past: number;
  /** How much longer each further dynamic length is than the one before: a model may bind them to each other, or not. */
  readonly spread?: number;
  readonly style: Style;
  /** The one input that is drawn in the style; absent where all are. */
  readonly only?: string;
  /** What a style of ids and positions mixes in. */
  readonly constant?: number;
  readonly seed: number;
  readonly vocabulary: number;
  /** Sizes of dynamic dimensions that the graph fixes. */
  readonly fixed?: DimensionSizes;
  /** Rows of the smallest table that an input picks from, by its name: whole numbers stay below. */
  readonly tables?: Readonly<Record<string, number>>;
  /** Inputs that hold no 0. */
  readonly positive?: readonly string[];
  /** Inputs of the user's own, which are repeated or cut to the sizes instead of drawing any. */
  readonly real?: Tensors;
  /** What the inputs that reach a mask by value hold. */
  readonly domains: Domains;
  /** Inputs that hold one number throughout, so that the model takes one of its branches. */
  readonly held?: Readonly<Record<string, number>>;
}

/**
 * Sizes of a model's dynamic dimensions by what their names say: an axis called batch, or the first one where none is, takes `batch`; one
 * called past takes `past`; a sum such as `past + sequence` the sum; all others `length`, each `spread` more than the one before. Given
 * sizes come first.
 */
export function guessSizes(inputs: readonly ModelInput[], at: SizeCase, given: DimensionSizes): DimensionSizes {
  const sizes: Record<string, number> = {};
  const namesBatch = inputs.some(({ dims }) => dims.some((name) => typeof name === 'string' && batchName.test(name)));
  const lengths = new Map<string, number>();
  for (const { dims } of named(inputs)) {
    dims.forEach((name, axis) => {
      const leads = !namesBatch && axis === 0 && dims.length > 1;
      if (typeof name === 'string') sizes[name] ??= sizeOf(name, { ...at, given, leads, lengths });
    });
  }
  return sizes;
}

type SizeCase = Pick<ProbeCase, 'batch' | 'length' | 'past' | 'spread' | 'fixed'>;
type Guess = SizeCase & {
  readonly given: DimensionSizes;
  /** Whether it is the first axis of several, and no axis is called batch. */
  readonly leads: boolean;
  /** Sizes of the lengths so far, by name. */
  readonly lengths: Map<string, number>;
};

/** Whether an axis counts batch elements, by its name. */
export const batchName = /batch|^bs?$/i;
const lengthName = /seq|len|token|time|width|height|frames|keys|quer/i;
/** Names of dimensions that have none begin so: the input and the axis follow. */
const unnamed = '?';

/** The name under which a user gives a dimension's size: of one without a name, the input and the axis. */
export function givenName(name: string): string {
  return name.startsWith(unnamed) ? name.slice(unnamed.length) : name;
}

/** The inputs with a name of its own for every dynamic dimension that has none. */
export function named(inputs: readonly ModelInput[]): ModelInput[] {
  return inputs.map((input) => ({
    ...input,
    dims: input.dims.map((name, axis) => (name === '' ? `${unnamed}${input.name}.${axis}` : name)),
  }));
}

function sizeOf(name: string, at: Guess): number {
  return at.given[givenName(name)] ?? at.fixed?.[name] ?? guess(name, at);
}

function guess(name: string, at: Guess): number {
  const sum = sumOfParts(name, (part) => sizeOf(part, { ...at, leads: false }));
  if (sum !== undefined) return sum;
  if (name.startsWith(unnamed)) return at.leads ? at.batch : lengthOf(name, at);
  if (batchName.test(name)) return at.batch;
  if (/past/i.test(name)) return /total/i.test(name) ? at.past + at.length : at.past;
  if (/total/i.test(name)) return at.past + at.length;
  const isLength = lengthName.test(name);
  return at.leads && !isLength ? at.batch : lengthOf(name, at);
}

function lengthOf(name: string, { length, spread = 0, lengths }: Guess): number {
  const known = lengths.get(name) ?? Math.max(1, length + spread * lengths.size);
  lengths.set(name, known);
  return known;
}

/**
 * Draws a probe's inputs, as {@link drawModelInputs} does with ids below `vocabulary`; those whose values reach a mask by their domain, all of
 * them in the case's style, or the one that it names.
 * @param wanted names of the inputs that are drawn; all where it is absent
 */
export function probeInputs(inputs: readonly ModelInput[], at: ProbeCase, given: DimensionSizes, wanted?: ReadonlySet<string>): Tensors {
  const all = named(inputs).filter(({ name }) => wanted?.has(name) !== false);
  const vocabularyOf = (input: string) => Math.min(at.vocabulary, at.tables?.[input] ?? Infinity);
  const sizes = guessSizes(inputs, at, given);
  const [own, others] = [all.filter(({ name }) => at.real?.[name] !== undefined), all.filter(({ name }) => at.real?.[name] === undefined)];
  const drawn = {
    ...drawModelInputs(others, sizes, at.seed, vocabularyOf),
    ...Object.fromEntries(own.map((input) => [input.name, repeatedTo(at.real![input.name]!, sizesOf(input, sizes))])),
  };
  let place = 0;
  return Object.fromEntries(
    Object.entries(drawn).map(([name, tensor]) => {
      const held = at.held?.[name] ?? (at.positive?.includes(name) === true && numbersOf(tensor).includes(0) ? 1 : undefined);
      if (held !== undefined)
        return [
          name,
          tensorOf(
            tensor.type,
            tensor.dims,
            Array.from({ length: tensor.data.length }, () => held),
          ),
        ];
      const domain = at.domains[name];
      if (domain === undefined) return [name, tensor];
      const style = at.only === undefined || at.only === name ? at.style : 'plain';
      return [name, drawStyled(name, tensor, { ...at, style, domain, place: place++, isAlone: at.only === name })];
    }),
  );
}

/** Sizes of the inputs that a case draws. */
export function sizesOfInputs(inputs: readonly ModelInput[], at: SizeCase, given: DimensionSizes): number[][] {
  const sizes = guessSizes(inputs, at, given);
  return named(inputs).map((input) => sizesOf(input, sizes));
}

function sizesOf({ dims }: ModelInput, sizes: DimensionSizes): number[] {
  return dims.map((size) => (typeof size === 'number' ? size : sizes[size]!));
}

/** Sizes of the dynamic dimensions that real inputs have. */
export function sizesOfReal(inputs: readonly ModelInput[], real: Tensors): DimensionSizes {
  return Object.fromEntries(
    named(inputs).flatMap(({ name, dims }) =>
      dims.flatMap((size, axis) => (typeof size === 'string' && real[name] !== undefined ? [[size, real[name].dims[axis]!]] : [])),
    ),
  );
}

/**
 * Batch elements that inputs hold: the axis called batch, or the first axis of the first input that has several, as far as that does not count
 * tokens.
 */
export function batchOf(inputs: readonly ModelInput[], tensors: Readonly<Record<string, Pick<Tensor, 'dims'>>>): number {
  for (const { name, dims } of inputs) {
    const axis = dims.findIndex((dimension) => typeof dimension === 'string' && batchName.test(dimension));
    if (axis >= 0) return tensors[name]!.dims[axis]!;
  }
  const several = inputs.find(({ dims }) => dims.length > 1);
  const [first] = several?.dims ?? [];
  if (several === undefined || (typeof first === 'string' && lengthName.test(first))) return 1;
  return tensors[several.name]!.dims[0]!;
}
