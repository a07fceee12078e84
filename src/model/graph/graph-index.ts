import { create } from '@bufbuild/protobuf';
import type { AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto } from 'onnx-buf';
import { TensorProto_DataType as DataType, TensorProtoSchema } from 'onnx-buf';

/** How many nodes a constant may be computed by, one after the other. */
const farthest = 16;

/** Who produces and who reads each tensor of a graph, its subgraphs' reads included. */
export class GraphIndex {
  readonly graph: GraphProto;
  readonly #producers = new Map<string, NodeProto>();
  readonly #consumers = new Map<string, NodeProto[]>();
  readonly #constants = new Map<string, TensorProto>();
  readonly #outputs: ReadonlySet<string>;
  readonly #constancy = new Map<string, boolean>();
  readonly #outer: GraphIndex | undefined;

  /** `outer`: the graph around a body, whose constants the body sees. */
  constructor(graph: GraphProto, outer?: GraphIndex) {
    this.graph = graph;
    this.#outer = outer;
    for (const tensor of graph.initializer) this.#constants.set(tensor.name, tensor);
    for (const node of graph.node) {
      for (const output of node.output) if (output !== '') this.#producers.set(output, node);
      const value = node.opType === 'Constant' ? constantOf(node) : undefined;
      if (value !== undefined) this.#constants.set(node.output[0]!, value);
      for (const name of readsOf(node)) this.#readBy(name, node);
    }
    this.#outputs = new Set(graph.output.map(({ name }) => name));
  }

  #readBy(tensor: string, node: NodeProto): void {
    const known = this.#consumers.get(tensor);
    if (known === undefined) this.#consumers.set(tensor, [node]);
    else known.push(node);
  }

  producer(tensor: string): NodeProto | undefined {
    return this.#producers.get(tensor);
  }

  consumers(tensor: string): readonly NodeProto[] {
    return this.#consumers.get(tensor) ?? [];
  }

  isOutput(tensor: string): boolean {
    return this.#outputs.has(tensor);
  }

  constant(tensor: string): TensorProto | undefined {
    return this.#constants.get(tensor);
  }

  /** Whether a tensor is the same in every call: a constant, or computed from constants alone. */
  isConstant(tensor: string, depth = farthest): boolean {
    if (this.#constants.has(tensor)) return true;
    const node = this.producer(tensor);
    if (node === undefined) return this.#outer?.isConstant(tensor, depth) === true;
    const known = this.#constancy.get(tensor);
    if (known !== undefined) return known;
    // What is too far to tell is not remembered: from nearer by it may be told.
    if (depth === 0) return false;
    const reads = [...readsOf(node)];
    const constant = reads.length > 0 && reads.every((input) => this.isConstant(input, depth - 1));
    if (constant || depth === farthest) this.#constancy.set(tensor, constant);
    return constant;
  }
}

/** What a Constant gives, however its attribute is written; undefined for text and sparse tensors. */
function constantOf({ attribute: [value] }: NodeProto): TensorProto | undefined {
  switch (value?.name) {
    case 'value':
      return value.t;
    case 'value_int':
      return create(TensorProtoSchema, { dataType: DataType.INT64, int64Data: [value.i] });
    case 'value_ints':
      return create(TensorProtoSchema, { dataType: DataType.INT64, dims: [BigInt(value.ints.length)], int64Data: value.ints });
    case 'value_float':
      return create(TensorProtoSchema, { dataType: DataType.FLOAT, floatData: [value.f] });
    case 'value_floats':
      return create(TensorProtoSchema, { dataType: DataType.FLOAT, dims: [BigInt(value.floats.length)], floatData: value.floats });
    default:
      return undefined;
  }
}

/** Every tensor that a node reads, those that its subgraphs take from outside included. */
export function readsOf(node: NodeProto): Set<string> {
  const reads = new Set(node.input.filter((name) => name !== ''));
  for (const graph of subgraphsOf(node)) {
    const own = new Set([...graph.input, ...graph.initializer].map(({ name }) => name));
    for (const inner of graph.node) for (const name of inner.output) own.add(name);
    const wanted = [...graph.node.flatMap((inner) => [...readsOf(inner)]), ...graph.output.map(({ name }) => name)];
    for (const name of wanted) if (!own.has(name)) reads.add(name);
  }
  return reads;
}

/** What one output of a node is computed from: all that the node reads, but for operators known to compute it from less. */
export function readsBehind(node: NodeProto, output: string): Set<string> {
  const isMaskIndex = node.opType === 'EmbedLayerNormalization' && node.output[1] === output;
  // It counts the tokens that the mask keeps, and the embeddings beside it are none of its business.
  return isMaskIndex ? new Set((node.input[7] ?? '') === '' ? [] : [node.input[7]!]) : readsOf(node);
}

export function subgraphsOf(node: NodeProto): GraphProto[] {
  return node.attribute.flatMap(({ g, graphs }) => [...(g === undefined ? [] : [g]), ...graphs]);
}

export function attributeOf(node: NodeProto, name: string): AttributeProto | undefined {
  return node.attribute.find((attribute) => attribute.name === name);
}

/** An integer attribute, or what is meant where it is absent. */
export function integerOf(node: NodeProto, name: string, absent: number): number {
  const attribute = attributeOf(node, name);
  return attribute === undefined ? absent : Number(attribute.i);
}

/** Version of the standard operators. */
export function opsetOf(proto: ModelProto): number {
  return Number(proto.opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx')?.version ?? 0n);
}

/** The node's name, or its operator and first output where it has none. */
export function nodeName(node: NodeProto): string {
  return node.name === '' ? `${node.opType} → ${node.output[0] ?? ''}` : node.name;
}

/** A small constant's whole numbers; undefined for other types or without its bytes. */
export function integersOf(tensor: TensorProto): readonly number[] | undefined {
  const bytes = tensor.rawData;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (tensor.dataType === DataType.INT64) {
    if (bytes.length === 0) return tensor.int64Data.map(Number);
    return Array.from({ length: bytes.length / 8 }, (_, index) => Number(view.getBigInt64(8 * index, true)));
  }
  if (tensor.dataType !== DataType.INT32) return undefined;
  if (bytes.length === 0) return tensor.int32Data;
  return Array.from({ length: bytes.length / 4 }, (_, index) => view.getInt32(4 * index, true));
}
