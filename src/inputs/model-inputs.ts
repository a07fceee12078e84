import { AttnswapError } from '../contract/errors.ts';
import type { ModelInput } from '../contract/adapter.ts';
import type { Tensor, TensorData, Tensors, TensorType } from '../contract/tensor.ts';
import { dimensionNames, givenDims, sumOfParts } from './dimension-names.ts';
import { encodeHalf } from './half-precision.ts';
import { RandomStream } from './random.ts';

/** Sizes of a model's dynamic dimensions, by their names. */
export type DimensionSizes = Readonly<Record<string, number>>;

/** Whole numbers below which an input is drawn where its name says nothing of it. */
export type VocabularyOf = (input: string) => number;

/**
 * Draws inputs for a model: normal floats, whole numbers below the input's vocabulary, ones where the name says mask, zeros where it says type,
 * positions counted up where it says position, and true for booleans. The same seed gives the same inputs, so that two versions of a model get the same.
 * @param sizes by the names of {@link givenDims}; of a sum, its parts' do
 * @throws INVALID_INPUTS for a dynamic dimension without a size
 */
export function drawModelInputs(
  inputs: readonly ModelInput[],
  sizes: DimensionSizes,
  seed: number,
  vocabularyOf: VocabularyOf = () => 100,
): Tensors {
  return Object.fromEntries(inputs.map((input) => [input.name, drawInput(input, sizes, seed, vocabularyOf(input.name))]));
}

/** Normal numbers of one input before they repeat: a prime, so that rows and channels differ. Caches and images have millions. */
const mostNormal = 65_521;

function drawInput(input: ModelInput, sizes: DimensionSizes, seed: number, vocabulary: number): Tensor {
  const dims = givenDims(input).map((size) => sizeOf(size, input.name, sizes));
  const count = dims.reduce((product, size) => product * size, 1);
  const stream = new RandomStream(seed, input.name);
  const last = dims.at(-1) ?? 1;
  const whole = (index: number): number => {
    if (/mask/i.test(input.name)) return 1;
    if (/type/i.test(input.name)) return 0;
    return /position/i.test(input.name) ? index % last : Math.floor(vocabulary * stream.uniform());
  };
  const draw = input.type.startsWith('float') ? () => stream.normal() : whole;
  const values = new Float64Array(count);
  const drawn = input.type.startsWith('float') ? Math.min(count, mostNormal) : count;
  for (let index = 0; index < drawn; index++) values[index] = input.type === 'bool' ? 1 : draw(index);
  for (let index = drawn; index < count; index++) values[index] = values[index - drawn]!;
  return tensorOf(input.type, dims, values);
}

/** A tensor of other sizes, along each axis repeated from its start, or cut; of one that holds nothing, zeros. */
export function repeatedTo({ type, dims: from, data }: Tensor, dims: readonly number[]): Tensor {
  const strides = from.map((_, axis) => from.slice(axis + 1).reduce((product, size) => product * size, 1));
  const result = data.slice(0, 0).constructor as new (length: number) => TensorData;
  const repeated = new result(dims.reduce((product, size) => product * size, 1));
  for (let place = 0; data.length > 0 && place < repeated.length; place++) {
    let rest = place;
    let source = 0;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      source += ((rest % dims[axis]!) % from[axis]!) * strides[axis]!;
      rest = Math.floor(rest / dims[axis]!);
    }
    repeated[place] = data[source]!;
  }
  return { type, dims, data: repeated };
}

/** A tensor of any type from plain numbers. */
export function tensorOf(type: TensorType, dims: readonly number[], values: ArrayLike<number>): Tensor {
  return { type, dims, data: encoded(type, values) };
}

function encoded(type: TensorType, values: ArrayLike<number>): TensorData {
  switch (type) {
    case 'float32':
      return new Float32Array(values);
    case 'float16':
      return Uint16Array.from(values, encodeHalf);
    case 'float64':
      return new Float64Array(values);
    case 'int64':
      return BigInt64Array.from(Array.from(values, BigInt));
    case 'int32':
      return new Int32Array(values);
    case 'int8':
      return new Int8Array(values);
    case 'uint8':
    case 'bool':
      return new Uint8Array(values);
  }
}

function sizeOf(size: number | string, input: string, sizes: DimensionSizes): number {
  const known = typeof size === 'number' ? size : (sizes[size] ?? sumOfParts(size, (part) => sizes[part]));
  if (known !== undefined) return known;
  const missing = [...dimensionNames([{ name: input, dims: [size] }])].findLast((name) => sizes[name] === undefined);
  throw new AttnswapError(
    'INVALID_INPUTS',
    `input ${input} has the dynamic dimension ${JSON.stringify(size)}, but no size was given for it`,
    { hint: `--dim ${missing}=128` },
  );
}
