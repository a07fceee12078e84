import type { NodeProto } from 'onnx-buf';
import type { Candidate, RawView } from './candidate.ts';
import type { KeyFactor, PathStep } from './logit-path.ts';
import { einsumProduct, einsumWeighted } from './einsum.ts';
import type { GraphIndex } from '../graph/graph-index.ts';
import { isGuard } from './guards.ts';
import { isStandardDomain } from '../file/check-model.ts';
import { matchSinks, unshifted } from './match-sinks.ts';
import { capFault } from './soft-cap.ts';
import { attributeOf, integerOf, nodeName } from '../graph/graph-index.ts';

/** A softmax that multiplies something, without a product of two tensors before it. */
export interface UnknownPattern {
  readonly node: string;
  readonly reason: string;
}

export type Match = { readonly candidate: Candidate } | { readonly unknown: UnknownPattern; readonly anchor: NodeProto } | undefined;

/** A softmax, written as one operator or as Exp, ReduceSum and Div. */
export interface SoftmaxNode {
  readonly node: NodeProto;
  /** Its logits, before the largest of them is taken off. */
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

/** Whether an operator is one of ONNX or of ONNX Runtime: functions may have the same names. */
function isKnown({ domain }: NodeProto): boolean {
  return isStandardDomain(domain) || domain === 'com.microsoft';
}

export function softmaxOf(index: GraphIndex, node: NodeProto): SoftmaxNode | undefined {
  if (!isKnown(node)) return undefined;
  const [first = '', second = ''] = node.input;
  const [output = ''] = node.output;
  if (node.opType === 'Softmax') return { node, input: unshifted(index, first), output };
  const exp = node.opType === 'Div' ? index.producer(first) : undefined;
  const sum = node.opType === 'Div' ? index.producer(second) : undefined;
  if (exp?.opType !== 'Exp' || sum?.opType !== 'ReduceSum' || sum.input[0] !== first) return undefined;
  return { node, input: unshifted(index, exp.input[0]!), output };
}

function matchSoftmax(index: GraphIndex, softmax: SoftmaxNode): Match {
  const sinks = matchSinks(index, softmax);
  const weighted = findWeighted(index, sinks?.weights ?? softmax.output, 12);
  if (weighted === undefined || index.isConstant(weighted.value.tensor)) return undefined;
  const product = findProduct(index, sinks?.logits ?? softmax.input, 36);
  if (product === undefined) {
    const reason = 'its softmax weighs values, but no product of queries and keys leads to it';
    return { anchor: softmax.node, unknown: { node: nodeName(softmax.node), reason } };
  }
  if (index.isConstant(product.query.tensor) || index.isConstant(product.key.tensor)) return undefined;
  const { query, key, node, factor, keyFactors, steps: before } = product;
  const { value, output, steps, exposed } = weighted;
  const carried = [...before, ...steps].map((step) => step.node.output[0]!);
  const own = new Set([node.output[0]!, softmax.input, softmax.output, ...carried]);
  const after = steps.filter((step) => !isGuard(index, step, own));
  const path = { product: node, factor, keyFactors, before, after };
  const refusal = exposed
    ? 'its weights are also used elsewhere, so they would still be computed'
    : (capFault(before) ?? roundedBy('logits', before) ?? roundedBy('weights', after));
  return {
    candidate: {
      ...{ anchor: softmax.node, pattern: 'graph', query, key, value, output, path },
      ...(sinks !== undefined && { sinks: { tensor: sinks.sinks } }),
      ...(refusal !== undefined && { refusal }),
    },
  };
}

/** That logits or weights pass through quantizers, which leave the path where they only round: see `withoutRounding`. */
function roundedBy(what: string, steps: readonly PathStep[]): string | undefined {
  const rounding = steps.find(({ node }) => quantizers.has(node.opType))?.node;
  return rounding && `its ${what} pass a quantizer that cannot be removed: ${rounding.opType} ${nodeName(rounding)}`;
}

const quantizers = new Set(['QuantizeLinear', 'DequantizeLinear']);

interface Product {
  readonly node: NodeProto;
  /** By which the node multiplies it. */
  readonly factor: number;
  readonly query: RawView;
  readonly key: RawView;
  readonly keyFactors: readonly KeyFactor[];
  readonly steps: readonly PathStep[];
}

/** Operators that leave logits logits, by which of their inputs may carry them on. */
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
  QuantizeLinear: [0],
  DequantizeLinear: [0],
};

/** The product of queries and keys that a softmax's input comes from. */
function findProduct(index: GraphIndex, tensor: string, depth: number, seen = new Set<string>()): Product | undefined {
  const node = index.producer(tensor);
  if (node === undefined || !isKnown(node) || depth === 0 || seen.has(tensor)) return undefined;
  seen.add(tensor);
  const product = productOf(index, node);
  if (product !== undefined) return product;
  for (const at of onLogits[node.opType] ?? []) {
    const input = node.input[at] ?? '';
    const found = input === '' ? undefined : findProduct(index, input, depth - 1, seen);
    if (found !== undefined) return { ...found, steps: [...found.steps, { node, carried: at }] };
  }
  return undefined;
}

function productOf(index: GraphIndex, node: NodeProto): Product | undefined {
  const [left = '', right = ''] = node.input;
  const plain = { node, factor: 1, query: { tensor: left }, keyFactors: [], steps: [] };
  if (node.opType === 'MatMul') return { ...plain, ...transposedKey(index, right) };
  if (node.opType === 'Einsum') {
    const views = einsumProduct(node);
    return views === undefined ? undefined : { ...plain, ...views };
  }
  const more = node.attribute.filter(({ name }) => !['alpha', 'transA', 'transB'].includes(name) && integerOf(node, name, 0) !== 0);
  if (node.opType !== 'FusedMatMul' || integerOf(node, 'transA', 0) === 1 || more.length > 0) return undefined;
  const key = integerOf(node, 'transB', 0) === 1 ? { key: { tensor: right } } : transposedKey(index, right);
  return { ...plain, factor: attributeOf(node, 'alpha')?.f ?? 1, ...key };
}

/** Keys as they are before the transposition that the product wants, and before a scale on the way, which is read apart. */
function transposedKey(index: GraphIndex, tensor: string): { key: RawView; keyFactors?: KeyFactor[] } {
  const node = index.producer(tensor);
  if (node?.opType === 'Mul' || node?.opType === 'Div') {
    const [left = '', right = ''] = node.input;
    const divides = node.opType === 'Div';
    const sides = [[left, right], ...(divides ? [] : [[right, left]])] as const;
    for (const [keys, factor] of sides) {
      const view = isScaleLike(index, factor!) ? transposedView(index, keys!) : undefined;
      if (view !== undefined && view.swapped !== true) return { key: view, keyFactors: [{ tensor: factor!, divides }] };
    }
  }
  return { key: transposedView(index, tensor) };
}

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

interface Weighted {
  readonly value: RawView;
  readonly output: RawView;
  readonly exposed: boolean;
  readonly steps: readonly PathStep[];
}

/** What passes a softmax's weights on. */
const onWeights = new Set([...['Cast', 'Identity', 'Dropout', 'Where', 'Mul', 'Reshape', 'Squeeze', 'Unsqueeze'], ...quantizers]);

/** The product of weights and values that a softmax's output goes to. */
function findWeighted(index: GraphIndex, tensor: string, depth: number): Weighted | undefined {
  if (depth === 0) return undefined;
  const consumers = index.consumers(tensor).filter(isKnown);
  for (const node of consumers) {
    const weighted = weightedBy(node, tensor) ?? turnedBy(index, node);
    if (weighted !== undefined) return { exposed: isExposed(index, tensor, node), ...weighted, steps: [] };
  }
  for (const node of consumers) {
    if (!onWeights.has(node.opType)) continue;
    const found = findWeighted(index, node.output[0]!, depth - 1);
    if (found === undefined) continue;
    const steps = [{ node, carried: node.input.indexOf(tensor) }, ...found.steps];
    return { ...found, steps, exposed: found.exposed || isExposed(index, tensor, node) };
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
  const [left = '', right = ''] = node.input;
  const turns = (name: 'transA' | 'transB') => integerOf(node, name, 0) === 1;
  if (left === weights && !turns('transA'))
    return { value: { tensor: right, ...(turns('transB') && { swapped: true }) }, output: { tensor: output } };
  return right === weights && turns('transB') ? columnsOf(left, output, turns('transA')) : undefined;
}

/** The same of values in columns, v·wᵀ: `node` turns the weights. */
function turnedBy(index: GraphIndex, node: NodeProto): Omit<Weighted, 'steps'> | undefined {
  const perm = node.opType === 'Transpose' ? attributeOf(node, 'perm')?.ints.map(Number) : undefined;
  if (perm === undefined || !perm.every((axis, at) => axis === swappedAxis(at, perm.length))) return undefined;
  const turned = node.output[0]!;
  const product = index.consumers(turned).find(({ opType, input }) => opType === 'MatMul' && input[1] === turned);
  if (product === undefined) return undefined;
  const exposed = isExposed(index, node.input[0]!, node) || isExposed(index, turned, product);
  return { ...columnsOf(product.input[0]!, product.output[0]!), exposed };
}

/** Where an axis comes from if the last two are swapped. */
function swappedAxis(at: number, axes: number): number {
  return at < axes - 2 ? at : 2 * axes - 3 - at;
}

/** Values and output whose last axis are keys and queries. */
function columnsOf(value: string, output: string, areRows = false): { value: RawView; output: RawView } {
  return { value: { tensor: value, ...(!areRows && { swapped: true }) }, output: { tensor: output, swapped: true } };
}
