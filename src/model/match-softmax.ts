import type { NodeProto } from 'onnx-buf';
import type { Candidate, RawView } from './candidate.ts';
import { einsumProduct, einsumWeighted } from './einsum.ts';
import type { GraphIndex } from './graph-index.ts';
import { attributeOf, integerOf, nodeName } from './graph-index.ts';

/** A softmax that multiplies something, without a product of two tensors before it. */
export interface UnknownPattern {
  readonly node: string;
  readonly reason: string;
}

export type Match = { readonly candidate: Candidate } | { readonly unknown: UnknownPattern } | undefined;

/** A softmax, written as one operator or as Exp, ReduceSum and Div. */
interface SoftmaxNode {
  readonly node: NodeProto;
  readonly input: string;
  readonly output: string;
}

/** Every softmax of a graph that takes part in attention, by the shape of what is around it; names play no part. */
export function matchSoftmaxes(index: GraphIndex): Match[] {
  return index.graph.node.flatMap((node) => {
    const softmax = softmaxOf(index, node);
    return softmax === undefined ? [] : [matchSoftmax(index, softmax)];
  });
}

function softmaxOf(index: GraphIndex, node: NodeProto): SoftmaxNode | undefined {
  const [first = '', second = ''] = node.input;
  if (node.opType === 'Softmax') return { node, input: first, output: node.output[0]! };
  const exp = node.opType === 'Div' ? index.producer(first) : undefined;
  const sum = node.opType === 'Div' ? index.producer(second) : undefined;
  if (exp?.opType !== 'Exp' || sum?.opType !== 'ReduceSum' || sum.input[0] !== first) return undefined;
  const shifted = index.producer(exp.input[0]!);
  const largest = shifted?.opType === 'Sub' ? index.producer(shifted.input[1]!) : undefined;
  const stable = largest?.opType === 'ReduceMax' && largest.input[0] === shifted?.input[0];
  return { node, input: (stable ? shifted : exp)!.input[0]!, output: node.output[0]! };
}

function matchSoftmax(index: GraphIndex, softmax: SoftmaxNode): Match {
  const weighted = findWeighted(index, softmax.output, 12);
  if (weighted === undefined || 'blocked' in weighted) {
    const product = findProduct(index, softmax.input, 24);
    if (weighted === undefined || product === undefined) return undefined;
    return { unknown: { node: nodeName(softmax.node), reason: weighted.blocked } };
  }
  if (index.isConstant(weighted.value.tensor)) return undefined;
  const product = findProduct(index, softmax.input, 24);
  if (product === undefined) {
    const reason = 'its softmax weighs values, but no product of queries and keys leads to it';
    return { unknown: { node: nodeName(softmax.node), reason } };
  }
  if (index.isConstant(product.query.tensor) || index.isConstant(product.key.tensor)) return undefined;
  const { query, key, side } = product;
  const refusal = refusalOf(product, weighted);
  const { value, output } = weighted;
  const candidate = { anchor: softmax.node, pattern: 'graph', query, key, value, output, logits: softmax.input, side };
  return { candidate: refusal === undefined ? candidate : { ...candidate, refusal } };
}

function refusalOf({ capped }: Product, { exposed }: { readonly exposed: boolean }): string | undefined {
  if (exposed) return 'its weights are read elsewhere too: they would be computed all the same';
  // Small logits pass a cap nearly unchanged, so that running the model need not show it.
  return capped === true ? 'its logits are soft-capped' : undefined;
}

interface Product {
  readonly query: RawView;
  readonly key: RawView;
  readonly side: readonly string[];
  /** Whether the logits pass a tanh. */
  readonly capped?: boolean;
}

/** Operators that leave logits logits: the rest of the node's inputs go to `side`. Which input may carry them on. */
const onLogits: Readonly<Record<string, readonly number[]>> = {
  Add: [0, 1],
  Sub: [0],
  Mul: [0, 1],
  Div: [0],
  Where: [1, 2],
  Max: [0, 1],
  Min: [0, 1],
  Clip: [0],
  Cast: [0],
  Identity: [0],
  Dropout: [0],
  Reshape: [0],
  Squeeze: [0],
  Unsqueeze: [0],
  Tanh: [0],
};

/** The product of queries and keys that a softmax's input comes from. */
function findProduct(index: GraphIndex, tensor: string, depth: number, seen = new Set<string>()): Product | undefined {
  const node = index.producer(tensor);
  if (node === undefined || depth === 0 || seen.has(tensor)) return undefined;
  seen.add(tensor);
  const product = productOf(index, node);
  if (product !== undefined) return product;
  for (const at of onLogits[node.opType] ?? []) {
    const input = node.input[at] ?? '';
    const found = input === '' ? undefined : findProduct(index, input, depth - 1, seen);
    if (found === undefined) continue;
    const others = node.input.filter((name, position) => position !== at && name !== '');
    return { ...found, side: [...found.side, ...others], capped: found.capped === true || node.opType === 'Tanh' };
  }
  return undefined;
}

function productOf(index: GraphIndex, node: NodeProto): Product | undefined {
  const [left = '', right = ''] = node.input;
  if (node.opType === 'MatMul') return { query: { tensor: left }, key: transposedView(index, right), side: [] };
  if (node.opType === 'Einsum') return einsumProduct(node);
  if (node.opType !== 'FusedMatMul' || integerOf(node, 'transA', 0) === 1) return undefined;
  const key = integerOf(node, 'transB', 0) === 1 ? { tensor: right } : transposedView(index, right);
  return { query: { tensor: left }, key, side: [] };
}

/** Keys behind the transposition that the product wants, scales on the way skipped: the logits show what they come to. */
function transposedView(index: GraphIndex, tensor: string): RawView {
  const node = index.producer(tensor);
  if (node?.opType === 'Transpose') {
    const perm = attributeOf(node, 'perm')?.ints.map(Number);
    if (perm === undefined || perm.length < 3) return { tensor, swapped: true };
    const swapped = [...perm.slice(0, -2), perm.at(-1)!, perm.at(-2)!];
    const plain = swapped.every((axis, position) => axis === position);
    return plain ? { tensor: node.input[0]! } : { tensor: node.input[0]!, perm: swapped };
  }
  const flattened = node?.opType === 'Reshape' ? index.producer(node.input[0]!) : undefined;
  const before = flattened?.opType === 'Transpose' ? index.producer(flattened.input[0]!) : undefined;
  // Batch and heads are merged while the last two axes are swapped.
  if (before?.opType === 'Reshape' && attributeOf(flattened!, 'perm')?.ints.map(Number).join() === '0,2,1')
    return { tensor: before.input[0]! };
  // A scale between the transposition and the product: whatever it is, the logits are compared with the keys before it.
  if (node?.opType === 'Mul' || node?.opType === 'Div') {
    const [left = '', right = ''] = node.input;
    for (const [keys, scale] of node.opType === 'Mul'
      ? [
          [left, right],
          [right, left],
        ]
      : [[left, right]]) {
      if (isScaleLike(index, scale!) && transposedView(index, keys!).swapped !== true) return transposedView(index, keys!);
    }
  }
  return { tensor, swapped: true };
}

/** A factor that does not come from the values of tensors: a constant, or computed from shapes. */
function isScaleLike(index: GraphIndex, tensor: string, depth = 12): boolean {
  if (index.isConstant(tensor)) return true;
  const node = index.producer(tensor);
  if (node === undefined || depth === 0) return false;
  if (node.opType === 'Shape' || node.opType === 'Size') return true;
  return node.input.length > 0 && node.input.every((input) => input === '' || isScaleLike(index, input, depth - 1));
}

type Weighted = { readonly value: RawView; readonly output: RawView; readonly exposed: boolean } | { readonly blocked: string };

/** What passes a softmax's weights on. */
const onWeights = new Set([
  'Cast',
  'Identity',
  'Dropout',
  'Where',
  'Mul',
  'Reshape',
  'Squeeze',
  'Unsqueeze',
  'QuantizeLinear',
  'DequantizeLinear',
]);

/** The product of weights and values that a softmax's output goes to. */
function findWeighted(index: GraphIndex, tensor: string, depth: number): Weighted | undefined {
  if (depth === 0) return undefined;
  const consumers = index.consumers(tensor);
  for (const node of consumers) {
    const weighted = weightedBy(node, tensor);
    if (weighted !== undefined) return { ...weighted, exposed: isExposed(index, tensor, node) };
  }
  for (const node of consumers) {
    if (!onWeights.has(node.opType)) continue;
    const found = findWeighted(index, node.output[0]!, depth - 1);
    if (found === undefined) continue;
    if (node.opType === 'QuantizeLinear') return { blocked: 'its weights are quantised before they meet the values' };
    if ('blocked' in found) return found;
    return { ...found, exposed: found.exposed || isExposed(index, tensor, node) };
  }
  return undefined;
}

/** Whether anything but `reader`, and guards against NaN, reads a tensor's values. */
function isExposed(index: GraphIndex, tensor: string, reader: NodeProto): boolean {
  const harmless = new Set(['IsNaN', 'Shape']);
  return index.isOutput(tensor) || index.consumers(tensor).some((node) => node !== reader && !harmless.has(node.opType));
}

function weightedBy(node: NodeProto, weights: string): { value: RawView; output: RawView } | undefined {
  const output = node.output[0]!;
  if (node.opType === 'Einsum') return einsumWeighted(node, weights);
  if (node.opType !== 'MatMul' && node.opType !== 'FusedMatMul') return undefined;
  if (node.input[0] !== weights || integerOf(node, 'transA', 0) === 1) return undefined;
  return { value: { tensor: node.input[1]!, ...(integerOf(node, 'transB', 0) === 1 && { swapped: true }) }, output: { tensor: output } };
}
