import { attributeOf } from '../graph/graph-index.ts';
import { attentionRules } from './attention-rules.ts';
import { derivedSize, fixedSize, productOf, sumOf } from './size.ts';
import type { Size } from './size.ts';
import { axisIn, windowed } from './size-reading.ts';
import type { SizeReading, SizeRule } from './size-reading.ts';
import { unknownTensor } from './tensor-sizes.ts';
import type { Axes, TensorSizes } from './tensor-sizes.ts';
import { valueRules } from './value-rules.ts';

const words = (text: string): readonly string[] => text.split(' ');

const likeFirst = words(
  'Abs Acos Acosh Asin Asinh Atan Atanh BatchNormalization BitwiseNot Celu Cos Cosh CumSum Dropout Elu Erf Exp Gelu GroupNormalization ' +
    'HardSigmoid HardSwish Hardmax InstanceNormalization IsInf IsNaN LRN LeakyRelu Log LogSoftmax LpNormalization ' +
    'MeanVarianceNormalization Mish Neg PRelu QuantizeLinear DequantizeLinear Reciprocal Relu ReverseSequence ScatterElements ScatterND ' +
    'Selu Shrink Sigmoid Sign Sin Sinh Softmax Softplus Softsign Swish Tan Tanh ThresholdedRelu Trilu ' +
    'com.microsoft/BiasGelu com.microsoft/FastGelu com.microsoft/Gelu com.microsoft/QuickGelu com.microsoft/BiasSoftmax ' +
    'com.microsoft/QuantizeLinear com.microsoft/DequantizeLinear com.microsoft/RotaryEmbedding com.microsoft/BiasDropout',
);
const reductions = words('ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceSum ReduceSumSquare');
const poolings = words('AveragePool MaxPool LpPool');

/** By operator, with its domain where it is not the standard one. */
export const sizeRules: ReadonlyMap<string, SizeRule> = new Map<string, SizeRule>([
  ...likeFirst.map((name): [string, SizeRule] => [name, ({ first: { axes } }) => ({ axes })]),
  ...reductions.map((name): [string, SizeRule] => [name, (reading) => ({ axes: reduced(reading) })]),
  ...poolings.map((name): [string, SizeRule] => [name, (reading) => ({ axes: pooled(reading) })]),
  ...words('LayerNormalization RMSNormalization SimplifiedLayerNormalization com.microsoft/SimplifiedLayerNormalization').map(
    (name): [string, SizeRule] => [name, (reading) => ({ axes: normalized(reading, 1) })],
  ),
  ...words('com.microsoft/SkipLayerNormalization com.microsoft/SkipSimplifiedLayerNormalization').map((name): [string, SizeRule] => [
    name,
    (reading) => {
      const axes = normalized(reading, 2);
      return [{ axes }, unknownTensor, unknownTensor, { axes }];
    },
  ]),
  ['com.microsoft/EmbedLayerNormalization', embedded],
  ['DynamicQuantizeLinear', ({ first: { axes } }) => [{ axes }, { axes: [] }, { axes: [] }]],
  ...words('MatMul MatMulInteger com.microsoft/FusedMatMul com.microsoft/MatMulIntegerToFloat com.microsoft/DynamicQuantizeMatMul').map(
    (name): [string, SizeRule] => [name, (reading) => ({ axes: multiplied(reading, reading.axesOf(0), reading.axesOf(1)) })],
  ),
  ['QLinearMatMul', (reading) => ({ axes: multiplied(reading, reading.axesOf(0), reading.axesOf(3)) })],
  ['com.microsoft/MatMulNBits', multipliedByBits],
  ...words('Gemm com.microsoft/GemmFastGelu').map((name): [string, SizeRule] => [name, gemm]),
  ...words('Conv ConvInteger com.microsoft/FusedConv com.microsoft/NhwcConv').map((name): [string, SizeRule] => [
    name,
    (reading) => ({ axes: convolved(reading, reading.axesOf(1)) }),
  ]),
  ['QLinearConv', (reading) => ({ axes: convolved(reading, reading.axesOf(3)) })],
  ...words('GlobalAveragePool GlobalMaxPool').map((name): [string, SizeRule] => [
    name,
    ({ first }) => ({ axes: first.axes?.map((size, axis) => (axis < 2 ? size : fixedSize(1))) }),
  ]),
  ['GatherElements', (reading) => ({ axes: reading.axesOf(1) })],
  ['GatherND', pickedPoints],
  ['com.microsoft/GatherBlockQuantized', pickedFromBlocks],
  ['Einsum', summed],
  ['Flatten', flattened],
  ['Pad', padded],
  ['Tile', tiled],
  ...attentionRules,
  ...valueRules,
]);

function reduced(reading: SizeReading): Axes | undefined {
  const { first, node } = reading;
  const given = reading.integers('axes', 1);
  if (first.axes === undefined || (given === undefined && (node.input[1] ?? '') !== '')) return undefined;
  const { axes } = first;
  const all = given === undefined || given.length === 0;
  const gone = new Set(all ? axes.keys() : given.map((axis) => axisIn(axes, axis)));
  const keeps = reading.integer('keepdims', 1) !== 0;
  return axes.flatMap((size, axis) => (!gone.has(axis) ? [size] : keeps ? [fixedSize(1)] : []));
}

function normalized(reading: SizeReading, weights: number): Axes | undefined {
  const [width, ...more] = reading.axesOf(weights) ?? [];
  if (more.length === 0 && width?.value !== 1) reading.requireSame(reading.first.axes?.at(-1), width);
  return reading.first.axes;
}

function embedded(reading: SizeReading): TensorSizes[] {
  const [ids, segments, words_] = [reading.first, reading.inputs[1] ?? unknownTensor, reading.axesOf(2)];
  reading.picks(ids, words_?.[0]);
  reading.picks(segments, reading.axesOf(4)?.[0]);
  const axes = ids.axes && [...ids.axes, words_?.[1]];
  return [{ axes }, { axes: ids.axes?.slice(0, 1) }, { axes }];
}

function pickedPoints(reading: SizeReading): TensorSizes {
  const [data, indices] = [reading.first.axes, reading.axesOf(1)];
  const depth = indices?.at(-1)?.value;
  if (data === undefined || indices === undefined || depth === undefined) return unknownTensor;
  return { axes: [...indices.slice(0, -1), ...data.slice(reading.integer('batch_dims', 0) + depth)] };
}

function pickedFromBlocks(reading: SizeReading): TensorSizes {
  const [table, indices = unknownTensor] = [reading.first, reading.inputs[1]];
  if (table.axes?.length !== 2 || reading.integer('gather_axis', 0) !== 0) return unknownTensor;
  reading.picks(indices, table.axes[0]);
  return { axes: indices.axes && [...indices.axes, undefined] };
}

function multiplied(reading: SizeReading, left: Axes | undefined, right: Axes | undefined): Axes | undefined {
  if (left === undefined || right === undefined || left.length === 0 || right.length === 0) return undefined;
  const turned = (axes: Axes, name: string) => (reading.integer(name, 0) === 1 ? axes.with(-1, axes.at(-2)).with(-2, axes.at(-1)) : axes);
  const [a, b] = [left.length > 1 ? turned(left, 'transA') : left, right.length > 1 ? turned(right, 'transB') : right];
  reading.requireSame(a.at(-1), b.at(b.length > 1 ? -2 : -1));
  const leading = reading.broadcast([a.slice(0, -2), b.slice(0, -2)]);
  return leading && [...leading, ...(a.length > 1 ? [a.at(-2)] : []), ...(b.length > 1 ? [b.at(-1)] : [])];
}

function multipliedByBits(reading: SizeReading): TensorSizes {
  const { axes } = reading.first;
  reading.requireSame(axes?.at(-1), fixedSize(reading.integer('K', 1)));
  return { axes: axes?.with(-1, fixedSize(reading.integer('N', 1))) };
}

function gemm(reading: SizeReading): TensorSizes {
  const [left, right] = [reading.axesOf(0), reading.axesOf(1)];
  return left?.length === 2 && right?.length === 2 ? { axes: multiplied(reading, left, right) } : unknownTensor;
}

function convolved(reading: SizeReading, weights: Axes | undefined): Axes | undefined {
  const { axes } = reading.first;
  if (axes === undefined || weights === undefined || axes.length < 3) return undefined;
  const group = reading.integer('group', 1);
  reading.requireSame(
    axes[1],
    derivedSize([weights[1]], (channels) => channels! * group),
  );
  return [
    axes[0],
    weights[0],
    ...windows(reading, axes.slice(2), reading.integers('kernel_shape') ?? weights.slice(2).map((size) => size?.value ?? 1)),
  ];
}

function pooled(reading: SizeReading): Axes | undefined {
  const { axes } = reading.first;
  return axes && [...axes.slice(0, 2), ...windows(reading, axes.slice(2), reading.integers('kernel_shape') ?? [])];
}

function windows(reading: SizeReading, axes: Axes, kernel: readonly number[]): Axes {
  const mode = new TextDecoder().decode(attributeOf(reading.node, 'auto_pad')?.s) || 'NOTSET';
  const [strides, dilations, pads] = ['strides', 'dilations', 'pads'].map((name) => reading.integers(name) ?? []);
  const isCeil = reading.integer('ceil_mode', 0) === 1;
  return axes.map((size, axis) => {
    const stride = strides![axis] ?? 1;
    if (mode.startsWith('SAME')) return derivedSize([size], (length) => Math.ceil(length! / stride));
    const around = mode === 'VALID' ? 0 : (pads![axis] ?? 0) + (pads![axis + axes.length] ?? 0);
    const window = { kernel: kernel[axis] ?? 1, stride, dilation: dilations![axis] ?? 1, pads: around, isCeil };
    return reading.requireSome(windowed(size, window));
  });
}

function summed(reading: SizeReading): TensorSizes {
  const text = new TextDecoder().decode(attributeOf(reading.node, 'equation')?.s).replaceAll(' ', '');
  const [operands = '', result] = text.split('->');
  if (result === undefined || text.includes('.')) return unknownTensor;
  const sizes = new Map<string, Size>();
  for (const [at, letters] of operands.split(',').entries())
    for (const [axis, letter] of letters.split('').entries()) {
      const size = reading.axesOf(at)?.[axis];
      reading.requireSame(size, sizes.get(letter));
      if (size !== undefined) sizes.set(letter, size);
    }
  return { axes: result.split('').map((letter) => sizes.get(letter)) };
}

function flattened(reading: SizeReading): TensorSizes {
  const { axes } = reading.first;
  if (axes === undefined) return unknownTensor;
  const axis = axisIn(axes, reading.integer('axis', 1));
  return { axes: [productOf(axes.slice(0, axis)), productOf(axes.slice(axis))] };
}

function padded(reading: SizeReading): TensorSizes {
  const { axes } = reading.first;
  const pads = reading.inputs[1]?.values ?? reading.integers('pads')?.map(fixedSize);
  if (axes === undefined || (reading.node.input[3] ?? '') !== '') return unknownTensor;
  return { axes: axes.map((size, axis) => (pads === undefined ? undefined : sumOf([size, pads[axis], pads[axis + axes.length]]))) };
}

function tiled(reading: SizeReading): TensorSizes {
  const repeats = reading.inputs[1]?.values;
  return { axes: reading.first.axes?.map((size, axis) => productOf([size, repeats?.[axis]])) };
}
