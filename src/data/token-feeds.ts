import type { ModelInput } from '../contract/adapter.ts';
import type { Tensor, Tensors } from '../contract/tensor.ts';
import { tensorOf } from '../inputs/model-inputs.ts';
import { invalidData } from './check-tensor.ts';

/** Inputs that are made from tokens, by name, and the value at each position. */
const valuesByName: Readonly<Record<string, (ids: readonly number[]) => readonly number[]>> = {
  input_ids: (ids) => ids,
  attention_mask: (ids) => ids.map(() => 1),
  token_type_ids: (ids) => ids.map(() => 0),
  position_ids: (ids) => ids.map((_, index) => index),
  decoder_input_ids: (ids) => ids,
  decoder_attention_mask: (ids) => ids.map(() => 1),
};

/**
 * The inputs of a model for one passage, `[1, tokens]` each: `input_ids`, `attention_mask` (all ones), `token_type_ids` (all zeros),
 * `position_ids` (counted from 0), and of an encoder–decoder model `decoder_input_ids` (the same tokens) and `decoder_attention_mask`; int64
 * or int32 as the model declares. A decoder's cache is empty, and the switch that says so is off.
 * @throws INVALID_DATA for an input that is not made from tokens, or whose shape the passage does not fit
 */
export function tokenFeeds(ids: readonly number[], inputs: readonly ModelInput[]): Tensors {
  if (!inputs.some(({ name }) => name === 'input_ids'))
    throw invalidData('model', `has the inputs ${inputs.map(({ name }) => name).join(', ')}, expected input_ids among them`, { hint });
  const wanted = inputs.filter(({ optional }) => optional !== true);
  return Object.fromEntries(wanted.map((input) => [input.name, tokenFeed(ids, input)]));
}

const hint = 'write a data module: a .ts file that exports items()';

function tokenFeed(ids: readonly number[], input: ModelInput): Tensor {
  const { name, type, dims } = input;
  const cached = emptyCache(input);
  if (cached !== undefined) return cached;
  const values = Object.hasOwn(valuesByName, name) ? valuesByName[name]!(ids) : undefined;
  if (values === undefined)
    throw invalidData(`model input ${name}`, `cannot be made from tokens, expected ${Object.keys(valuesByName).join(', ')}`, { hint });
  const fits = dims.length === 2 && [1, ids.length].every((size, axis) => typeof dims[axis] === 'string' || dims[axis] === size);
  if (!fits) throw invalidData(`model input ${name}`, `has shape [${dims.join(', ')}], but a passage has [1, ${ids.length}]`, { hint });
  if (type === 'int64') return { type, dims: [1, ids.length], data: BigInt64Array.from(values, BigInt) };
  if (type === 'int32') return { type, dims: [1, ids.length], data: Int32Array.from(values) };
  throw invalidData(`model input ${name}`, `has type ${type}, expected int64 or int32`, { hint });
}

/** An input of a decoder's cache that holds nothing yet; undefined for other inputs. */
function emptyCache({ name, type, dims }: ModelInput): Tensor | undefined {
  if (!/past|cache/i.test(name)) return undefined;
  if (type === 'bool' && dims.every((size) => size === 1)) return tensorOf(type, dims as number[], [0]);
  if (!type.startsWith('float') || dims.length < 4) return undefined;
  const named = dims.some((size) => typeof size === 'string' && /batch/i.test(size));
  const sizes = dims.map((size, axis) => {
    if (typeof size === 'number') return size;
    return (named ? /batch/i.test(size) : axis === 0) ? 1 : 0;
  });
  // All sizes fixed: a buffer with room for so many tokens.
  return tensorOf(type, sizes, new Float64Array(sizes.reduce((product, size) => product * size, 1)));
}
