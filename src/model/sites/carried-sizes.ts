import type { LogitPath } from './logit-path.ts';
import { reshapes } from './logit-path.ts';
import { attributeOf, integerOf } from '../graph/graph-index.ts';
import { numbersOf } from './mask-sources.ts';
import type { Seen } from './watch.ts';

/**
 * What the sizes of a path's tensors follow from: the operands of the product, and the shapes that reshapes are given. Logits themselves
 * are not watched: a runtime would keep all of them until the run ends.
 */
export function carriedSources({ product, before }: LogitPath): { sizes: string[]; values: string[] } {
  const moved = before.filter(({ node }) => reshapes.has(node.opType));
  return {
    sizes: [...product.input.slice(0, 2), ...moved.filter(({ node }) => node.opType !== 'Reshape').map(({ node }) => node.output[0]!)],
    values: moved.filter(({ node }) => node.opType === 'Reshape').map(({ node }) => node.input[1]!),
  };
}

/** Sizes of the tensors that a path carries, by name: the product, and what each reshape gives. */
export function carriedSizes(path: LogitPath, seen: Seen): Map<string, readonly number[]> {
  const { product, before } = path;
  let current = productSizes(path, seen);
  const sizes = new Map([[product.output[0]!, current]]);
  for (const { node } of before) {
    if (!reshapes.has(node.opType)) continue;
    const shape = seen.tensor(node.input[1] ?? '');
    current = node.opType === 'Reshape' ? reshaped(current, shape === undefined ? [] : [...numbersOf(shape)]) : seen.dims(node.output[0]!);
    sizes.set(node.output[0]!, current);
  }
  return sizes;
}

function productSizes({ product }: LogitPath, seen: Seen): readonly number[] {
  const [left, right] = product.input.slice(0, 2).map((name) => seen.dims(name));
  if (product.opType === 'Einsum') {
    const [operands = '', result = ''] = new TextDecoder().decode(attributeOf(product, 'equation')?.s).replaceAll(' ', '').split('->');
    const letters = operands.split(',').map((text) => text.split(''));
    const sizeOf = (letter: string) => Math.max(left![letters[0]!.indexOf(letter)] ?? 0, right![letters[1]!.indexOf(letter)] ?? 0);
    return result.split('').map(sizeOf);
  }
  const rank = Math.max(left!.length, right!.length);
  const aligned = [left!, right!].map((dims) => [...Array.from({ length: rank - dims.length }, () => 1), ...dims]);
  const leading = aligned[0]!.slice(0, -2).map((size, axis) => Math.max(size, aligned[1]![axis]!));
  return [...leading, left!.at(-2) ?? 0, right!.at(integerOf(product, 'transB', 0) === 1 ? -2 : -1) ?? 0];
}

/** What ONNX's Reshape makes of sizes: 0 keeps one, −1 takes the rest. */
function reshaped(from: readonly number[], shape: readonly number[]): readonly number[] {
  const sizes = shape.map((size, axis) => (size === 0 ? (from[axis] ?? 0) : size));
  const known = sizes.reduce((product, size) => (size < 0 ? product : product * size), 1);
  const all = from.reduce((product, size) => product * size, 1);
  return sizes.map((size) => (size < 0 ? all / known : size));
}
