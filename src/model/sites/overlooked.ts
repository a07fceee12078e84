import type { NodeProto } from 'onnx-buf';
import { nodeName } from '../graph/graph-index.ts';
import type { GraphIndex } from '../graph/graph-index.ts';
import { unreadOperator } from './match-fused.ts';
import { softmaxOf } from './match-softmax.ts';
import type { UnknownPattern } from './match-softmax.ts';

/** Operators behind which logits are still logits, or weights weights, in one way or another. */
const passing = new Set(
  (
    'Add Sub Mul Div Where Max Min Clip Cast Identity Dropout Reshape Squeeze Unsqueeze Tanh Concat Slice Split Pad Transpose Neg Expand ' +
    'QuantizeLinear DequantizeLinear DynamicQuantizeLinear QLinearAdd QLinearMul LogSoftmax Softmax ScatterElements ScatterND GatherElements'
  ).split(' '),
);
/** Those that matching follows. */
const plain = new Set(
  'Add Sub Mul Div Where Max Min Clip Cast Identity Dropout Reshape Squeeze Unsqueeze Tanh QuantizeLinear DequantizeLinear'.split(' '),
);
const integerProducts = new Set(['MatMulInteger', 'QLinearMatMul', 'ConvInteger']);
const products = new Set(['MatMul', 'FusedMatMul', 'Einsum', ...integerProducts]);
/** Operators of ONNX Runtime that are a softmax, and something else as well. */
const otherSoftmaxes = new Set(['QLinearSoftmax', 'BiasSoftmax']);
/** What weighs values in other ways than a softmax, in words. */
const otherWeights: Readonly<Record<string, string>> = {
  Sigmoid: 'a sigmoid of the logits',
  Exp: 'exponentials that are not divided by their sum',
  Relu: 'the positive logits',
};
/** Nodes that are looked at from one anchor. */
const farthest = 40;

interface Found {
  readonly product: NodeProto;
  /** The first operator on the way that matching does not follow. */
  readonly blocker: NodeProto | undefined;
}

/**
 * What matching passes over: first what looks like attention (an operator that is attention; weights by a softmax, a sigmoid and the like of a product of
 * two computed tensors, or of learned queries with keys, that then weigh computed values), then every other softmax.
 * @param known nodes that are sites, or told already
 */
export function overlookedAttention(index: GraphIndex, known: ReadonlySet<NodeProto>): UnknownPattern[] {
  const alike: UnknownPattern[] = [];
  const others: UnknownPattern[] = [];
  for (const node of index.graph.node.filter((each) => !known.has(each))) {
    const unread = unreadOperator(node);
    if (unread !== undefined) alike.push({ node: nodeName(node), reason: unread });
    const softmax = otherSoftmaxes.has(node.opType) ? { input: node.input[0]! } : softmaxOf(index, node);
    if (softmax === undefined && (otherWeights[node.opType] === undefined || isWithinSoftmax(index, node))) continue;
    const logits = search(index, softmax?.input ?? node.input[0]!, 'back');
    const values = search(index, node.output[0]!, 'forth');
    const isAlike = isFound(logits) && isFound(values) && logits.product !== values.product;
    if (isAlike) alike.push({ node: nodeName(node), reason: reasonOf(index, node, logits, values) });
    else if (softmax !== undefined) others.push({ node: nodeName(node), reason: otherSoftmax(logits, values) });
  }
  return [...alike, ...others];
}

/** Whether a node is a part of a softmax that is written as several. */
function isWithinSoftmax(index: GraphIndex, { output }: NodeProto): boolean {
  return index.consumers(output[0]!).some((reader) => softmaxOf(index, reader) !== undefined);
}

/** Why a softmax is no attention at all, or none that is known. */
function otherSoftmax(logits: Search, values: Search): string {
  if (values === undefined) return 'its softmax is not attention: no matrix product weighs computed values with it';
  if (logits === undefined) return 'its softmax is not attention: its logits do not come from a product of queries and keys';
  if (isFound(logits) && isFound(values)) return 'its softmax is not attention: one product gives its logits and takes its weights';
  const where = isFound(logits) ? 'product with values follows' : 'product of queries and keys precedes';
  return `no ${where} its softmax within ${farthest} operators: attention in chunks or bands is not recognized`;
}

function reasonOf(index: GraphIndex, anchor: NodeProto, logits: Found, values: Found): string {
  const other = otherWeights[anchor.opType];
  if (other !== undefined) return `its weights are ${other}, not a softmax`;
  const integer = [logits.product, values.product].find(({ opType }) => integerProducts.has(opType));
  if (integer !== undefined) return `its products are computed in integers (${integer.opType} ${nodeName(integer)})`;
  if (otherSoftmaxes.has(anchor.opType)) return `its softmax is ONNX Runtime's ${anchor.opType}, which is not read`;
  if (index.isConstant(logits.product.input[0]!)) return 'its queries are parameters of the model and depend on no input';
  const blocker = logits.blocker ?? values.blocker;
  if (blocker?.opType === 'Concat') return `${nodeName(blocker)} appends extra logits, as attention sinks do`;
  return blocker === undefined
    ? 'its products are too far from its softmax'
    : `${blocker.opType} ${nodeName(blocker)} is between its products`;
}

/** The nearest product; `far` where more nodes lie on the way than are looked at, undefined where there is none. */
type Search = Found | 'far' | undefined;

function isFound(search: Search): search is Found {
  return search !== undefined && search !== 'far';
}

function search(index: GraphIndex, from: string, way: 'back' | 'forth'): Search {
  const queue: Array<{ tensor: string; blocker: NodeProto | undefined }> = [{ tensor: from, blocker: undefined }];
  const seen = new Set<NodeProto>();
  for (const { tensor, blocker } of queue) {
    if (seen.size >= farthest) return 'far';
    const producer = index.producer(tensor);
    const next = way === 'forth' ? index.consumers(tensor) : producer === undefined ? [] : [producer];
    for (const node of next) {
      if (seen.has(node)) continue;
      seen.add(node);
      if (products.has(node.opType)) {
        const isTurned = blocker?.opType === 'Transpose';
        if (way === 'back' ? hasComputedKeys(index, node) : weighsValues(index, node, { weights: tensor, isTurned }))
          return { product: node, blocker };
        continue;
      }
      if (!passing.has(node.opType)) continue;
      const blocks = blocker ?? (plain.has(node.opType) ? undefined : node);
      const tensors = way === 'forth' ? node.output : node.input;
      queue.push(...tensors.filter((name) => name !== '' && !index.isConstant(name)).map((name) => ({ tensor: name, blocker: blocks })));
    }
  }
  return undefined;
}

function factorsOf({ opType, input }: NodeProto): [string, string] {
  return [input[0] ?? '', input[opType === 'QLinearMatMul' ? 3 : 1] ?? ''];
}

/** Whether a product may give logits: of computed queries, or of learned ones. */
function hasComputedKeys(index: GraphIndex, node: NodeProto): boolean {
  return !index.isConstant(factorsOf(node)[1]);
}

/** Whether a product weighs computed values: transposed weights may multiply from the right. */
function weighsValues(
  index: GraphIndex,
  node: NodeProto,
  { weights, isTurned }: { readonly weights: string; readonly isTurned: boolean },
): boolean {
  const [left, right] = factorsOf(node);
  const values = left === weights ? right : isTurned && right === weights ? left : undefined;
  return values !== undefined && !index.isConstant(values);
}
