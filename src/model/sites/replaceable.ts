import type { ModelProto, TensorProto } from 'onnx-buf';
import { attributeOf } from '../graph/graph-index.ts';
import { elementsOf } from './stored-numbers.ts';

/** Numbers from which on a stored tensor is a weight. */
const manyNumbers = 256;

/**
 * Initializers that are inputs too: defaults that a caller may replace, from IR version 4 on. Exporters that list all initializers as inputs, the
 * weights among them, mean no defaults.
 */
export function replaceableDefaults({ irVersion, graph }: ModelProto): ReadonlySet<string> {
  const inputs = new Set(graph!.input.map(({ name }) => name));
  const listed = graph!.initializer.filter(({ name }) => inputs.has(name));
  const inNodes = graph!.node.filter((node) => node.opType === 'Constant' && isWeight(attributeOf(node, 'value')?.t));
  const listsAll = listed.length === graph!.initializer.length && listed.filter(isWeight).length > inNodes.length;
  return new Set(irVersion < 4n || listsAll ? [] : listed.map(({ name }) => name));
}

function isWeight(tensor: TensorProto | undefined): boolean {
  return tensor !== undefined && elementsOf(tensor) >= manyNumbers;
}
