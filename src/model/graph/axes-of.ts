import { attributeOf } from './graph-index.ts';
import type { GraphIndex } from './graph-index.ts';

/** Operators whose result has as many axes as their first input. */
const keeping = new Set(['Identity', 'Cast', 'Dropout', 'Slice', 'Concat', 'Pad']);

/** How many axes a tensor has, as far as its declaration, or the operators that give it, say; undefined where they do not. */
export function axesOf(index: GraphIndex, tensor: string): number | undefined {
  const { input, valueInfo } = index.graph;
  const { value } = [...input, ...valueInfo].find(({ name }) => name === tensor)?.type ?? {};
  const declared = value?.case === 'tensorType' ? value.value.shape?.dim.length : undefined;
  const node = index.producer(tensor);
  if (declared !== undefined || node === undefined) return declared;
  const [first = '', second = ''] = node.input;
  if (node.opType === 'Transpose') return attributeOf(node, 'perm')?.ints.length ?? axesOf(index, first);
  if (node.opType === 'Reshape') return sizeOf(index.constant(second)?.dims);
  return keeping.has(node.opType) ? axesOf(index, first) : undefined;
}

/** Elements of a constant with one axis. */
function sizeOf(dims: readonly bigint[] | undefined): number | undefined {
  return dims?.length === 1 ? Number(dims[0]) : undefined;
}
