import type { ModelInput } from '../contract/adapter.ts';
import type { Tensors } from '../contract/tensor.ts';
import { invalidData } from './check-tensor.ts';

/**
 * Checks feeds against the inputs that a model declares: names, types, ranks, fixed sizes, and that a dynamic dimension named
 * twice has one size. Gives the sizes of the dynamic dimensions, by name; one without a name stands as `input/axis`.
 * @throws INVALID_DATA naming source, input, got and expected
 */
export function dynamicSizes(feeds: Tensors, inputs: readonly ModelInput[], source: string): ReadonlyMap<string, number> {
  const [got, expected] = [Object.keys(feeds), inputs.map(({ name }) => name)];
  if (got.length !== expected.length || !expected.every((name) => Object.hasOwn(feeds, name)))
    throw invalidData(source, `holds ${got.slice(0, 10).join(', ')}, expected the model's inputs ${expected.join(', ')}`, {
      hint: 'name the tensors like the inputs; name a .npy file after its input',
    });
  const sizes = new Map<string, number>();
  for (const input of inputs) addSizes(sizes, feeds, input, source);
  return sizes;
}

function addSizes(sizes: Map<string, number>, feeds: Tensors, { name, type, dims }: ModelInput, source: string): void {
  const tensor = feeds[name]!;
  const described = `${type} [${dims.map((size) => size || '?').join(', ')}]`;
  const refuse = (problem: string) => invalidData(`${source}, ${name}`, `${problem}, expected ${described}`);
  if (tensor.type !== type) throw refuse(`type is ${tensor.type}`);
  if (tensor.dims.length !== dims.length) throw refuse(`shape is [${tensor.dims.join(', ')}]`);
  for (const [axis, declared] of dims.entries()) {
    const size = tensor.dims[axis]!;
    const known = typeof declared === 'number' ? declared : sizes.get(declared);
    if (known !== undefined && known !== size) throw refuse(`size ${axis} of [${tensor.dims.join(', ')}] is ${size} instead of ${known}`);
    if (typeof declared === 'string') sizes.set(declared === '' ? `${name}/${axis}` : declared, size);
  }
}

/**
 * The length of an item: the size of the dynamic dimension called `dimension`, or else the largest of all dynamic dimensions.
 * @throws INVALID_DATA where there is no such dimension
 */
export function lengthOf(sizes: ReadonlyMap<string, number>, dimension: string | undefined, source: string): number {
  const names = [...sizes.keys()].join(', ') || 'none';
  const size = dimension === undefined ? Math.max(...sizes.values()) : sizes.get(dimension);
  if (size !== undefined && size >= 1 && Number.isFinite(size)) return size;
  throw invalidData(source, `its dynamic dimensions are ${names}, expected ${dimension ?? 'one'} of size 1 or more to be the sequence`, {
    hint: 'name the sequence dimension with --dim',
  });
}
