import type { ModelProto, NodeProto, TensorProto } from 'onnx-buf';
import { TensorProto_DataType as DataType } from 'onnx-buf';
import type { ReferenceRow } from '../../variants/reference.ts';
import { copyMessage } from '../graph/copy-message.ts';
import { GraphIndex, readsOf } from '../graph/graph-index.ts';
import type { PathStep } from './logit-path.ts';
import { reshapes } from './logit-path.ts';
import { matchSoftmaxes } from './match-softmax.ts';

/** What a pair of `QuantizeLinear` and `DequantizeLinear` does to a number: rounds it to whole steps, within bounds. */
interface Rounder {
  readonly step: number;
  readonly least: number;
  readonly most: number;
}

/** The quantizers between the product of queries and keys and that of weights and values; of logits in the scale of the softmax. */
export interface Rounding {
  /** Of scaled products, before anything is added to them. */
  readonly products: readonly Rounder[];
  /** Of what goes into the softmax. */
  readonly logits: readonly Rounder[];
  readonly weights: readonly Rounder[];
}

/** A model whose attention is free of quantizers, as far as their pairs do nothing but round. */
interface Unrounded {
  readonly proto: ModelProto;
  /** By the output of the softmax. */
  readonly roundings: ReadonlyMap<string, Rounding>;
}

/** Takes quantizers off the logits and weights of a model's own graph: what reads a rounded number reads the number itself. */
export function withoutRounding(proto: ModelProto): Unrounded {
  const graph = proto.graph!;
  const index = new GraphIndex(graph);
  const instead = new Map<string, string>();
  const roundings = new Map<string, Rounding>();
  for (const match of matchSoftmaxes(index)) {
    const { path, sinks, anchor } = match !== undefined && 'candidate' in match ? match.candidate : {};
    if (path === undefined || sinks !== undefined) continue;
    const [before, after] = [path.before, path.after].map((steps) => withPairs(index, steps));
    if (before === undefined || after === undefined) continue;
    const pairs = [...before, ...after].filter((step): step is Pair => 'rounder' in step);
    const inBodies = pairs.some(({ to }) => index.consumers(to).some((node) => !node.input.includes(to)));
    const rounding = pairs.length === 0 || inBodies ? undefined : roundingOf(index, before, after);
    if (rounding === undefined) continue;
    for (const { from, to } of pairs) instead.set(to, from);
    roundings.set(anchor!.output[0]!, rounding);
  }
  if (instead.size === 0) return { proto, roundings };
  const plain = (name: string): string => (instead.has(name) ? plain(instead.get(name)!) : name);
  const rewired = graph.node
    .filter(({ output: [name = ''] }) => !instead.has(name) || index.isOutput(name))
    .map((each) => (each.input.some((name) => instead.has(name)) ? copyMessage(each, { input: each.input.map(plain) }) : each));
  const read = new Set([...rewired.flatMap((each) => [...readsOf(each)]), ...graph.output.map(({ name }) => name)]);
  const node = rewired.filter(({ opType, output }) => opType !== 'QuantizeLinear' || output.some((name) => read.has(name)));
  return { proto: copyMessage(proto, { graph: copyMessage(graph, { node }) }), roundings };
}

/** Two steps of a path that only round what they carry. */
interface Pair {
  readonly from: string;
  readonly to: string;
  readonly rounder: Rounder;
}

/** A path with its quantizers in pairs; undefined where one of them is not half of a pair. */
function withPairs(index: GraphIndex, steps: readonly PathStep[]): Array<PathStep | Pair> | undefined {
  const result: Array<PathStep | Pair> = [];
  for (let at = 0; at < steps.length; at++) {
    const { node } = steps[at]!;
    if (node.opType === 'DequantizeLinear') return undefined;
    if (node.opType !== 'QuantizeLinear') result.push(steps[at]!);
    else {
      const next = steps[++at]?.node;
      const rounder = next?.opType === 'DequantizeLinear' ? rounderOf(index, node, next) : undefined;
      if (rounder === undefined) return undefined;
      result.push({ from: node.input[0]!, to: next!.output[0]!, rounder });
    }
  }
  return result;
}

/** What a quantized number may be, by its type. */
const ranges = new Map<DataType, readonly [number, number]>([
  [DataType.INT8, [-128, 127]],
  [DataType.UINT8, [0, 255]],
  [DataType.INT16, [-32768, 32767]],
  [DataType.UINT16, [0, 65535]],
]);

/** Undefined where the two differ, are not constant, or round each channel by a step of its own. */
function rounderOf(index: GraphIndex, quantize: NodeProto, dequantize: NodeProto): Rounder | undefined {
  if ([quantize, dequantize].some(({ attribute }) => attribute.some(({ name }) => name !== 'axis'))) return undefined;
  const [own, other] = [quantize, dequantize].map(({ input: [, scale = '', zero = ''] }) => {
    const zeroPoint = index.constant(zero);
    const range = ranges.get(zeroPoint?.dataType ?? DataType.UINT8);
    return { step: numberIn(index.constant(scale)), zeroAt: zero === '' ? 0 : numberIn(zeroPoint), range };
  });
  const { step, zeroAt, range } = own!;
  const isSame = step === other!.step && zeroAt === other!.zeroAt && range === other!.range;
  if (!isSame || step === undefined || zeroAt === undefined || range === undefined || !(step > 0 && step < Infinity)) return undefined;
  const [least, most] = range.map((bound) => (bound - zeroAt) * step) as [number, number];
  return { step, least, most };
}

/** The one number that a constant holds, of f32 or of what quantizers give. */
function numberIn(tensor: TensorProto | undefined): number | undefined {
  if (tensor === undefined || tensor.dims.some((size) => size !== 1n)) return undefined;
  const { rawData, dataType, floatData, int32Data } = tensor;
  const view = new DataView(rawData.buffer, rawData.byteOffset, rawData.byteLength);
  if (rawData.length === 0) return dataType === DataType.FLOAT ? floatData[0] : ranges.has(dataType) ? int32Data[0] : undefined;
  switch (dataType) {
    case DataType.FLOAT:
      return view.getFloat32(0, true);
    case DataType.INT8:
      return view.getInt8(0);
    case DataType.UINT8:
      return view.getUint8(0);
    case DataType.INT16:
      return view.getInt16(0, true);
    case DataType.UINT16:
      return view.getUint16(0, true);
    default:
      return undefined;
  }
}

/** The one number that a tensor always holds: a constant, or one that went through quantizers. */
function numberAt(index: GraphIndex, tensor: string): number | undefined {
  const constant = index.constant(tensor);
  const node = index.producer(tensor);
  if (constant !== undefined || node?.opType !== 'DequantizeLinear') return numberIn(constant);
  const [quantized = '', scale = '', zero = ''] = node.input;
  const quantize = index.producer(quantized);
  const rounder = quantize?.opType === 'QuantizeLinear' ? rounderOf(index, quantize, node) : undefined;
  const number = quantize === undefined ? undefined : numberAt(index, quantize.input[0]!);
  if (rounder !== undefined) return number === undefined ? undefined : round(number, [rounder]).value;
  const [whole, step, zeroAt] = [quantized, scale, zero].map((name) => (name === '' ? 0 : numberIn(index.constant(name))));
  return whole === undefined || step === undefined || zeroAt === undefined ? undefined : (whole - zeroAt) * step;
}

/** Undefined where numbers are rounded between two additions, before a soft cap, or before a factor that is not constant. */
function roundingOf(
  index: GraphIndex,
  before: ReadonlyArray<PathStep | Pair>,
  after: ReadonlyArray<PathStep | Pair>,
): Rounding | undefined {
  const [products, logits]: Rounder[][] = [[], []];
  const kinds = before.map((step) => ('rounder' in step ? 'pair' : step.node.opType));
  const adds = (kind: string) => kind !== 'pair' && !reshapes.has(kind) && !['Mul', 'Div', 'Identity', 'Dropout'].includes(kind);
  let factor = 1;
  for (const [at, step] of [...before.entries()].toReversed()) {
    if ('rounder' in step) {
      const { step: width, least, most } = step.rounder;
      const inLogits = { step: width * factor, least: least * factor, most: most * factor };
      if (!kinds.slice(0, at).some(adds)) products!.unshift(inLogits);
      else if (kinds.slice(at).some(adds)) return undefined;
      else logits!.unshift(inLogits);
    } else if (step.node.opType === 'Mul' || step.node.opType === 'Div') {
      const by = numberAt(index, step.node.input[1 - step.carried]!);
      if (by === undefined || !(by > 0)) return undefined;
      factor *= step.node.opType === 'Mul' ? by : 1 / by;
    }
  }
  if (products!.length + logits!.length > 0 && kinds.some((kind) => ['Tanh', 'Cast'].includes(kind))) return undefined;
  return { products: products!, logits: logits!, weights: after.flatMap((step) => ('rounder' in step ? step.rounder : [])) };
}

export function largestSteps({ products, logits, weights }: Rounding): { logits?: number; weights?: number } {
  const [ofLogits, ofWeights] = [[...products, ...logits], weights].map((rounders) => Math.max(0, ...rounders.map(({ step }) => step)));
  return { ...(ofLogits! > 0 && { logits: ofLogits! }), ...(ofWeights! > 0 && { weights: ofWeights! }) };
}

/** A row of attention with its logits and weights rounded, in float64. */
interface RoundedRow {
  /** `[headDim]`. */
  readonly output: Float64Array;
  /** By how much the output moves where each number so near the middle of two steps that arithmetic decides is rounded the other way. */
  readonly slack: number;
}

export function roundedRow({ at, view, row }: ReferenceRow, { products, logits, weights }: Rounding): RoundedRow {
  const { headDim } = view.shape;
  const added = (entry: number) => view.bias?.(at.query, row.key[entry]!) ?? 0;
  const entries = Array.from(row.logit.subarray(0, row.length), (logit, entry) => {
    const product = round(logit - added(entry), products);
    const { value, open } = round(product.value + added(entry), logits);
    return { logit: value, open: product.open + open };
  });
  const largest = entries.reduce((most, { logit }) => Math.max(most, logit), -Infinity);
  const shares = entries.map(({ logit }) => Math.exp(logit - largest));
  const sum = shares.reduce((total, share) => total + share, 0);
  const output = new Float64Array(headDim);
  let slack = 0;
  for (const [entry, { open }] of entries.entries()) {
    const weight = round(shares[entry]! / sum, weights);
    const from = row.key[entry]! * headDim;
    const vector = view.value.subarray(from, from + headDim);
    vector.forEach((component, m) => (output[m]! += weight.value * component));
    slack += ((2 * weight.value * open + weight.open) * Math.hypot(...vector)) ** 2;
  }
  return { output, slack: Math.sqrt(slack) };
}

/** Of a step, about the middle between two: where a number lies there, f32 may round it either way. */
const undecided = 1e-3;

/** A number rounded, and by how much it would differ had it been rounded the other way: 0 where it is not near the middle. */
function round(value: number, by: readonly Rounder[]): { readonly value: number; readonly open: number } {
  let open = 0;
  let rounded = value;
  for (const { step, least, most } of by) {
    const steps = rounded / step;
    if (Math.abs(steps - Math.floor(steps) - 0.5) < undecided) open += step;
    rounded = Math.max(least, Math.min(most, Math.round(steps) * step));
  }
  return { value: rounded, open };
}
