import { TensorProto_DataType as DataType } from 'onnx-buf';
import type { NodeProto } from 'onnx-buf';
import { attributeOf, integerOf } from '../graph/graph-index.ts';
import { broadcast, expanded, joined, ofRank, product, reduced, sliced } from './infer-sizes.ts';
import { integersAttribute, maximumRank, nothingKnown } from './tensor-facts.ts';
import type { FactTable, Sizes, TensorFacts } from './tensor-facts.ts';

/** A node as a rule sees it. */
interface Reading {
  readonly node: NodeProto;
  readonly facts: FactTable;
  readonly inputs: readonly TensorFacts[];
  readonly first: TensorFacts;
}
type Rule = (reading: Reading) => TensorFacts;

const words = (text: string): readonly string[] => text.split(' ');

const likeFirst = words(
  'Abs Acos Acosh Asin Asinh Atan Atanh BatchNormalization Ceil Celu Clip Cos Cosh CumSum Dropout Elu Erf Exp Floor HardSigmoid Hardmax Identity InstanceNormalization LRN LayerNormalization LeakyRelu Log LogSoftmax LpNormalization MeanVarianceNormalization Neg Not PRelu Reciprocal Relu ReverseSequence Round Scatter ScatterElements ScatterND Selu Shrink Sigmoid Sign Sin Sinh Softmax Softplus Softsign Sqrt Tan Tanh ThresholdedRelu',
);
const elementwise = words('Add BitShift Div Max Mean Min Mod Mul Pow Sub Sum');
const comparisons = words('And Equal Greater GreaterOrEqual Less LessOrEqual Or Xor');
const rankOfFirst = words(
  'AveragePool Conv ConvTranspose DepthToSpace GlobalAveragePool GlobalLpPool GlobalMaxPool LpPool MaxPool MaxUnpool Pad Resize SpaceToDepth Split Tile TopK Upsample',
);
const typeOfFirst = words('Einsum GRU LSTM RNN Compress GatherElements GatherND MaxRoiPool RoiAlign');
/** Operators whose every output is as the first is. */
const alikeOutputs = words('Split GRU LSTM RNN');
const reductions = words(
  'ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare',
);

/** Operators as they were before opset 13, by what is known of their first output (of all outputs for some). */
const rules = new Map<string, Rule>([
  ...likeFirst.map((name) => [name, ({ first }: Reading) => first] as const),
  ...elementwise.map((name) => [name, ({ inputs, first }: Reading) => ({ type: first.type, sizes: broadcastOf(inputs) })] as const),
  ...comparisons.map((name) => [name, ({ inputs }: Reading) => ({ type: DataType.BOOL, sizes: broadcastOf(inputs) })] as const),
  ...rankOfFirst.map(
    (name) => [name, ({ first }: Reading) => ({ type: first.type, sizes: first.sizes && ofRank(first.sizes.length) })] as const,
  ),
  ...reductions.map((name) => [name, ({ node, first }: Reading) => ({ type: first.type, sizes: reducedBy(node, first) })] as const),
  ...typeOfFirst.map((name) => [name, ({ first }: Reading) => ({ type: first.type, sizes: undefined })] as const),
  ['Cast', ({ node, first }) => ({ type: integerOf(node, 'to', 0) || undefined, sizes: first.sizes })],
  ['Concat', ({ node, inputs, first }) => ({ type: first.type, sizes: joinedBy(node, inputs) })],
  ['ConstantOfShape', ({ node, first }) => ({ type: attributeOf(node, 'value')?.t?.dataType ?? DataType.FLOAT, sizes: shapeRank(first) })],
  ['DequantizeLinear', ({ inputs, first }) => ({ type: inputs[1]?.type, sizes: first.sizes })],
  ['Expand', ({ inputs, first }) => ({ type: first.type, sizes: expandedTo(first, inputs[1]) })],
  ['Flatten', ({ first }) => ({ type: first.type, sizes: ofRank(2) })],
  ['Gather', ({ node, inputs, first }) => ({ type: first.type, sizes: gathered(node, first.sizes, inputs[1]?.sizes) })],
  ['Gemm', ({ first }) => ({ type: first.type, sizes: ofRank(2) })],
  ['MatMul', ({ inputs, first }) => ({ type: first.type, sizes: product(first.sizes, inputs[1]?.sizes) })],
  ['NonZero', () => ({ type: DataType.INT64, sizes: ofRank(2) })],
  ['Range', ({ first }) => ({ type: first.type, sizes: ofRank(1) })],
  ['Reshape', ({ node, facts, inputs, first }) => ({ type: first.type, sizes: reshaped(inputs[1], facts.integers(node.input[1] ?? '')) })],
  ['Shape', ({ first }) => ({ type: DataType.INT64, sizes: first.sizes && [first.sizes.length] })],
  ['Size', () => ({ type: DataType.INT64, sizes: [] })],
  ['Slice', (reading) => ({ type: reading.first.type, sizes: sliced(reading.first.sizes, boundsOf(reading)) })],
  ['Squeeze', ({ node, first }) => ({ type: first.type, sizes: squeezed(node, first.sizes) })],
  ['Transpose', ({ node, first }) => ({ type: first.type, sizes: transposed(node, first.sizes) })],
  ['Unsqueeze', ({ node, first }) => ({ type: first.type, sizes: expanded(first.sizes, integersAttribute(node, 'axes') ?? []) })],
  ['Where', ({ inputs }) => ({ type: inputs[1]?.type, sizes: broadcastOf(inputs) })],
]);

/** Adds what a node's outputs are known to be. */
export function inferNode(node: NodeProto, facts: FactTable): void {
  const value = node.opType === 'Constant' ? attributeOf(node, 'value')?.t : undefined;
  if (value !== undefined) return facts.addConstant(node.output[0] ?? '', value);
  const inputs = node.input.map((name) => (name === '' ? nothingKnown : facts.get(name)));
  const rule = node.domain === '' || node.domain === 'ai.onnx' ? rules.get(node.opType) : undefined;
  const found = rule === undefined || inputs.length === 0 ? nothingKnown : rule({ node, facts, inputs, first: inputs[0]! });
  for (const [index, output] of node.output.entries())
    if (output !== '') facts.add(output, index === 0 || alikeOutputs.includes(node.opType) ? found : nothingKnown);
}

function broadcastOf(inputs: readonly TensorFacts[]): Sizes | undefined {
  return broadcast(inputs.map(({ sizes }) => sizes));
}

function reducedBy(node: NodeProto, { sizes }: TensorFacts): Sizes | undefined {
  const axes = integersAttribute(node, 'axes') ?? [];
  return reduced(sizes, axes.length === 0 ? (sizes ?? []).map((_, axis) => axis) : axes, integerOf(node, 'keepdims', 1) !== 0);
}

function joinedBy(node: NodeProto, inputs: readonly TensorFacts[]): Sizes | undefined {
  return joined(
    inputs.map(({ sizes }) => sizes),
    integerOf(node, 'axis', 1),
  );
}

/** The sizes of a tensor whose shape is a tensor: as many as that is long. */
function shapeRank(shape: TensorFacts | undefined): Sizes | undefined {
  const [rank] = shape?.sizes?.length === 1 ? shape.sizes : [];
  return rank === undefined || rank > maximumRank ? undefined : ofRank(rank);
}

function expandedTo(first: TensorFacts, shape: TensorFacts | undefined): Sizes | undefined {
  return broadcast([first.sizes, shapeRank(shape)]);
}

function reshaped(shape: TensorFacts | undefined, values: readonly number[] | undefined): Sizes | undefined {
  return shapeRank(shape)?.map((_, axis) => (values !== undefined && values[axis]! > 0 ? values[axis] : undefined));
}

function gathered(node: NodeProto, data: Sizes | undefined, indices: Sizes | undefined): Sizes | undefined {
  if (data === undefined || indices === undefined) return undefined;
  const given = integerOf(node, 'axis', 0);
  const axis = given < 0 ? given + data.length : given;
  return [...data.slice(0, axis), ...indices, ...data.slice(axis + 1)];
}

function squeezed(node: NodeProto, sizes: Sizes | undefined): Sizes | undefined {
  const axes = integersAttribute(node, 'axes');
  if (axes !== undefined && axes.length > 0) return reduced(sizes, axes, false);
  return sizes === undefined || sizes.includes(undefined) ? undefined : sizes.filter((size) => size !== 1);
}

function transposed(node: NodeProto, sizes: Sizes | undefined): Sizes | undefined {
  const order = integersAttribute(node, 'perm');
  if (order === undefined || order.length === 0) return sizes?.toReversed();
  return order.length > maximumRank ? undefined : order.map((axis) => sizes?.[axis]);
}

/** Slice's bounds, which were attributes before opset 10. */
function boundsOf({ node, facts }: Reading): Parameters<typeof sliced>[1] {
  const read = (name: string, at: number): readonly number[] | undefined =>
    integersAttribute(node, name) ?? facts.integers(node.input[at] ?? '');
  const [starts, ends] = [read('starts', 1), read('ends', 2)];
  const stepped = (node.input[4] ?? '') !== '' && facts.integers(node.input[4]!)?.every((step) => step === 1) !== true;
  if (starts === undefined || ends === undefined || stepped) return undefined;
  const given = (node.input[3] ?? '') === '' ? integersAttribute(node, 'axes') : facts.integers(node.input[3]!);
  if (given === undefined && (node.input[3] ?? '') !== '') return undefined;
  return { starts, ends, axes: given ?? starts.map((_, axis) => axis) };
}
