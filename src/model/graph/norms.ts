import { create } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProto_DataType as DataType,
  TensorProtoSchema,
} from 'onnx-buf';
import type { ModelProto, NodeProto, TensorProto } from 'onnx-buf';
import { attributeOf } from './graph-index.ts';
import type { GraphIndex } from './graph-index.ts';

/** A layer norm whose scale and shift are constants, f32, one a channel. */
export interface LayerNorm {
  /** Names of the constants. */
  readonly scale: string;
  readonly shift: string;
  /** What it gives, `[…, channels]`. */
  readonly output: string;
  readonly channels: number;
}

/** How far along the graph a layer norm still counts as following. */
const reach = 60;

/** The first layer norm that a tensor leads to, as one operator or written out; undefined where there is none near, or its constants are not plain. */
export function followingNorm(index: GraphIndex, tensor: string): LayerNorm | undefined {
  const queue = [...index.consumers(tensor)];
  const seen = new Set<NodeProto>();
  while (queue.length > 0 && seen.size < reach) {
    const node = queue.shift()!;
    if (seen.has(node)) continue;
    seen.add(node);
    const norm = normOf(index, node);
    if (norm !== undefined) return norm;
    for (const output of node.output) queue.push(...index.consumers(output));
  }
  return undefined;
}

function normOf(index: GraphIndex, node: NodeProto): LayerNorm | undefined {
  if (node.opType === 'LayerNormalization') return plainNorm(index, node.input[1] ?? '', node.input[2] ?? '', node.output[0]!);
  if (node.opType !== 'Div' || index.producer(node.input[1] ?? '')?.opType !== 'Sqrt') return undefined;
  const [scaled] = index.consumers(node.output[0]!);
  const [shifted] = scaled?.opType === 'Mul' ? index.consumers(scaled.output[0]!) : [];
  if (scaled === undefined || shifted?.opType !== 'Add') return undefined;
  const other = (from: NodeProto, carried: string) => from.input.find((name) => name !== carried) ?? '';
  return plainNorm(index, other(scaled, node.output[0]!), other(shifted, scaled.output[0]!), shifted.output[0]!);
}

function plainNorm(index: GraphIndex, scale: string, shift: string, output: string): LayerNorm | undefined {
  const [factors, terms] = [index.constant(scale), index.constant(shift)].map((tensor) =>
    tensor === undefined ? undefined : floatsOf(tensor),
  );
  const own = [scale, shift].every((name) => index.consumers(name).length === 1);
  return own && factors !== undefined && factors.length === terms?.length ? { scale, shift, output, channels: factors.length } : undefined;
}

/** A constant's f32 values along one axis; undefined for any other constant. */
export function floatsOf(tensor: TensorProto): Float32Array | undefined {
  if (tensor.dataType !== DataType.FLOAT || tensor.dims.length !== 1) return undefined;
  const count = Number(tensor.dims[0]);
  if (tensor.floatData.length === count) return Float32Array.from(tensor.floatData);
  return tensor.rawData.length === 4 * count ? new Float32Array(tensor.rawData.slice().buffer) : undefined;
}

/** The model with other values in some one-dimensional f32 constants, by name. */
export function withConstants(proto: ModelProto, values: ReadonlyMap<string, Float32Array>): ModelProto {
  const graph = proto.graph!;
  const renewed = (tensor: TensorProto, name: string): TensorProto => {
    const given = values.get(name);
    return given === undefined
      ? tensor
      : create(TensorProtoSchema, { ...tensor, floatData: [], rawData: new Uint8Array(given.slice().buffer) });
  };
  const renewedNode = (node: NodeProto): NodeProto => {
    const value = node.opType === 'Constant' && values.has(node.output[0]!) ? attributeOf(node, 'value') : undefined;
    if (value?.t === undefined) return node;
    const attribute = [create(AttributeProtoSchema, { ...value, t: renewed(value.t, node.output[0]!) })];
    return create(NodeProtoSchema, { ...node, attribute });
  };
  const changed = create(GraphProtoSchema, {
    ...graph,
    node: graph.node.map(renewedNode),
    initializer: graph.initializer.map((tensor) => renewed(tensor, tensor.name)),
  });
  return create(ModelProtoSchema, { ...proto, graph: changed });
}
