import { create, toBinary } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProto_DataType as DataType,
  TensorProtoSchema,
  ValueInfoProtoSchema,
} from 'onnx-buf';
import type { AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto } from 'onnx-buf';
import { elementTypes } from './element-types.ts';
import type { ElementType } from './element-types.ts';

const newestOpset = 20;

/** The name of a tensor in a graph. */
export type Value = string;
export type Attribute = number | bigint | string | readonly number[] | { readonly float: number } | GraphProto;
export type Dimension = number | string;

type Branch = (graph: GraphBuilder) => Value;
type Branches = (graph: GraphBuilder) => readonly Value[];

/** com.microsoft operators of ONNX Runtime that attnswap writes; every other operator is standard ONNX. */
const contribOperators = new Set(['MultiHeadAttention', 'GroupQueryAttention', 'FusedMatMul', 'RotaryEmbedding', 'LinearAttention']);
/** Those that a version of the standard operators defines alike, by that version. */
const standardSince: Readonly<Record<string, number>> = { LinearAttention: 27 };

/** An output of a model: a tensor, and the name that it gets. */
export interface GraphOutput {
  readonly name: string;
  readonly value: Value;
  readonly type: ElementType;
  readonly shape?: readonly Dimension[];
}

interface BuilderOptions {
  readonly parent?: GraphBuilder;
  readonly opset?: number;
  readonly prefix?: string;
}

/**
 * Builds one ONNX graph, node by node. A subgraph (the body of a `Loop`, a branch of an `If`) shares its parent's name counter and may read
 * the parent's tensors by name, as ONNX allows.
 */
export class GraphBuilder {
  readonly #nodes: NodeProto[] = [];
  readonly #initializers: TensorProto[] = [];
  readonly #inputs: ValueInfoProto[] = [];
  readonly #constants = new Map<string, Value>();
  readonly #counter: { next: number };
  readonly #parent: GraphBuilder | undefined;
  readonly #prefix: string;

  /** Version of the standard operators; 13 at least. */
  readonly opset: number;

  /** `prefix` begins every name, so that a graph can be put into another. */
  constructor({ parent, opset = parent?.opset ?? newestOpset, prefix = '' }: BuilderOptions = {}) {
    this.#parent = parent;
    this.#prefix = parent === undefined ? prefix : parent.#prefix;
    this.opset = opset;
    this.#counter = parent === undefined ? { next: 0 } : parent.#counter;
  }

  input(name: string, type: ElementType, shape?: readonly Dimension[]): Value {
    this.#inputs.push(valueInfo(name, type, shape));
    return name;
  }

  /** Appends a node with one output and returns that output's name. An input of '' is an absent optional input. */
  op(operator: string, inputs: readonly Value[], attributes: Readonly<Record<string, Attribute>> = {}): Value {
    return this.ops(operator, inputs, attributes, 1)[0]!;
  }

  /** One node that gives `output`, and is not kept here. */
  named(operator: string, inputs: readonly Value[], output: Value): NodeProto[] {
    return [create(NodeProtoSchema, { opType: operator, name: `${this.#prefix}${operator}`, input: [...inputs], output: [output] })];
  }

  /** Appends a node with `outputs` outputs and returns their names. */
  ops(operator: string, inputs: readonly Value[], attributes: Readonly<Record<string, Attribute>>, outputs: number): Value[] {
    const output = Array.from({ length: outputs }, () => this.#fresh(operator));
    this.#nodes.push(
      create(NodeProtoSchema, {
        opType: operator,
        domain: contribOperators.has(operator) && this.opset < (standardSince[operator] ?? Infinity) ? 'com.microsoft' : '',
        name: `${operator}_${output[0]}`,
        input: [...inputs],
        output,
        attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
      }),
    );
    return output;
  }

  /** `tensor`'s sizes from axis `start` up to `end`, int64 `[end − start]`. */
  sizes(tensor: Value, start: number, end: number): Value {
    if (this.opset >= 15) return this.op('Shape', [tensor], { start, end });
    return this.op('Slice', [this.op('Shape', [tensor]), this.int([start]), this.int([end])]);
  }

  /** The maximum along `axes`, which are kept with size 1. */
  maximum(tensor: Value, axes: readonly number[]): Value {
    return this.#reduce('ReduceMax', tensor, axes);
  }

  /** The minimum along `axes`, which are kept with size 1. */
  minimum(tensor: Value, axes: readonly number[]): Value {
    return this.#reduce('ReduceMin', tensor, axes);
  }

  /** The Euclidean length along `axes`, which are kept with size 1. */
  euclidean(tensor: Value, axes: readonly number[]): Value {
    return this.#reduce('ReduceL2', tensor, axes);
  }

  #reduce(operator: string, tensor: Value, axes: readonly number[]): Value {
    if (this.opset >= 18) return this.op(operator, [tensor, this.int(axes)], { keepdims: 1 });
    return this.op(operator, [tensor], { axes, keepdims: 1 });
  }

  /** An int64 constant: a scalar for a number, a 1-D tensor for a list. */
  int(value: number | readonly number[]): Value {
    const list = typeof value === 'number' ? [value] : value;
    const data = new BigInt64Array(list.map(BigInt));
    return this.#constant(`i64:${JSON.stringify(value)}`, DataType.INT64, typeof value === 'number' ? [] : [list.length], data.buffer);
  }

  /** A float32 constant: a scalar for a number, a 1-D tensor for a list. */
  float(value: number | readonly number[]): Value {
    const list = typeof value === 'number' ? [value] : value;
    const data = new Float32Array(list);
    const bits = [...new Uint32Array(data.buffer)];
    return this.#constant(
      `f32:${typeof value}:${bits.join()}`,
      DataType.FLOAT,
      typeof value === 'number' ? [] : [list.length],
      data.buffer,
    );
  }

  /** A scalar constant of the element type in which a kernel computes. */
  scalar(value: number, type: 'f32' | 'f16'): Value {
    return type === 'f32' ? this.float(value) : this.op('Cast', [this.float(value)], { to: DataType.FLOAT16 });
  }

  /** A float32 tensor of the model's own under a name of its own. */
  initializer(name: string, values: Float32Array, shape: readonly number[]): Value {
    const rawData = new Uint8Array(values.slice().buffer);
    this.#initializers.push(create(TensorProtoSchema, { name, dataType: DataType.FLOAT, dims: shape.map(BigInt), rawData }));
    return name;
  }

  /** Appends a copy of a node that reads other inputs, and returns the names of its outputs. */
  copy(node: NodeProto, inputs: readonly Value[]): Value[] {
    const output = node.output.map((name) => (name === '' ? '' : this.#fresh(node.opType)));
    this.#nodes.push(create(NodeProtoSchema, { ...node, name: `${node.opType}_${output[0]}`, input: [...inputs], output }));
    return output;
  }

  /** Appends nodes that were built elsewhere. */
  append(nodes: readonly NodeProto[]): void {
    this.#nodes.push(...nodes);
  }

  /**
   * A `Loop` of `count` iterations (an int64 scalar). `body` gets the subgraph and the iteration number and returns one
   * tensor, whose values over all iterations are stacked along a new first axis.
   */
  loop(count: Value, type: ElementType, body: (graph: GraphBuilder, iteration: Value) => Value): Value {
    const graph = new GraphBuilder({ parent: this });
    const iteration = graph.input(graph.#fresh('iteration'), 'i64', []);
    const condition = graph.input(graph.#fresh('condition'), 'bool', []);
    const result = body(graph, iteration);
    const outputs = [valueInfo(graph.op('Identity', [condition]), 'bool', []), valueInfo(result, type, undefined)];
    return this.op('Loop', [count, ''], { body: graph.#graph(outputs) });
  }

  /**
   * A `Scan` along the first axis of `inputs`, in f32. `body` gets the subgraph, the state and a slice of each input, and returns the next
   * state and one tensor, both of `rank` axes; the tensors are stacked in the order of the slices. `backwards` begins with the last slice.
   */
  scan(
    {
      state,
      inputs,
      rank,
      backwards,
    }: { readonly state: Value; readonly inputs: readonly Value[]; readonly rank: number; readonly backwards: boolean },
    body: (graph: GraphBuilder, state: Value, slices: readonly Value[]) => { readonly state: Value; readonly output: Value },
  ): Value {
    const graph = new GraphBuilder({ parent: this });
    const [carried = '', ...slices] = [state, ...inputs].map(() => graph.input(graph.#fresh('slice'), 'f32'));
    const result = body(graph, carried, slices);
    // ONNX Runtime's Scan needs to know the ranks of its outputs, and cannot always infer them.
    const axes = () => Array.from({ length: rank }, () => graph.#fresh('axis'));
    const outputs = [result.state, result.output].map((value) => valueInfo(graph.op('Identity', [value]), 'f32', axes()));
    const directions = backwards && { scan_input_directions: inputs.map(() => 1), scan_output_directions: [1] };
    const attributes = { body: graph.#graph(outputs), num_scan_inputs: inputs.length, ...directions };
    return this.ops('Scan', [state, ...inputs], attributes, 2)[1]!;
  }

  /** An `If` on a bool scalar with one tensor from each branch; only the branch that is taken is computed. */
  branch(condition: Value, type: ElementType, { yes, no }: { readonly yes: Branch; readonly no: Branch }): Value {
    return this.branches(condition, type, { yes: (graph) => [yes(graph)], no: (graph) => [no(graph)] })[0]!;
  }

  /** The same with several tensors, equally many from each branch. */
  branches(condition: Value, type: ElementType, { yes, no }: { readonly yes: Branches; readonly no: Branches }): Value[] {
    const body = (build: Branches) => {
      const graph = new GraphBuilder({ parent: this });
      const results = build(graph).map((value) => graph.op('Identity', [value]));
      return { results, graph: graph.#graph(results.map((result) => valueInfo(result, type, undefined))) };
    };
    const [taken, other] = [body(yes), body(no)];
    return this.ops('If', [condition], { then_branch: taken.graph, else_branch: other.graph }, taken.results.length);
  }

  /** Everything built so far as nodes alone, constants too, to be put into another graph. */
  fragment(): NodeProto[] {
    return [...this.#initializers.map(constantNode), ...this.#nodes];
  }

  /** The finished model as bytes, with `outputs` renamed to the given names. */
  model(outputs: readonly GraphOutput[]): Uint8Array {
    for (const { name, value } of outputs)
      this.#nodes.push(create(NodeProtoSchema, { opType: 'Identity', name: `output_${name}`, input: [value], output: [name] }));
    const graph = this.#graph(outputs.map(({ name, type, shape }) => valueInfo(name, type, shape)));
    return toBinary(
      ModelProtoSchema,
      create(ModelProtoSchema, {
        irVersion: 9n,
        producerName: 'attnswap',
        opsetImport: [
          { domain: '', version: BigInt(this.opset) },
          { domain: 'com.microsoft', version: 1n },
        ],
        graph,
      }),
    );
  }

  #graph(output: ValueInfoProto[]): GraphProto {
    return create(GraphProtoSchema, { name: 'attention', node: this.#nodes, initializer: this.#initializers, input: this.#inputs, output });
  }

  #fresh(stem: string): Value {
    return `${this.#prefix}${stem}_${this.#counter.next++}`;
  }

  #constant(key: string, dataType: DataType, dims: readonly number[], data: ArrayBuffer): Value {
    if (this.#parent !== undefined) return this.#parent.#constant(key, dataType, dims, data);
    const known = this.#constants.get(key);
    if (known !== undefined) return known;
    const name = this.#fresh('constant');
    this.#initializers.push(create(TensorProtoSchema, { name, dataType, dims: dims.map(BigInt), rawData: new Uint8Array(data) }));
    this.#constants.set(key, name);
    return name;
  }
}

/** A constant as a node: unlike an initializer it needs no place of its own in the graph. */
export function constantNode(tensor: TensorProto): NodeProto {
  const value = create(AttributeProtoSchema, { name: 'value', type: AttributeType.TENSOR, t: { ...tensor, name: '' } });
  return create(NodeProtoSchema, { opType: 'Constant', name: tensor.name, output: [tensor.name], attribute: [value] });
}

/** An input or output of a graph. */
export function valueInfo(name: string, type: ElementType, shape: readonly Dimension[] | undefined): ValueInfoProto {
  const dims = shape?.map((size) =>
    typeof size === 'number'
      ? { value: { case: 'dimValue' as const, value: BigInt(size) } }
      : { value: { case: 'dimParam' as const, value: size } },
  );
  return create(ValueInfoProtoSchema, {
    name,
    type: {
      value: { case: 'tensorType', value: { elemType: elementTypes[type], ...(dims === undefined ? {} : { shape: { dim: dims } }) } },
    },
  });
}

function attribute(name: string, value: Attribute): AttributeProto {
  if (typeof value === 'number' || typeof value === 'bigint')
    return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value) });
  if (typeof value === 'string')
    return create(AttributeProtoSchema, { name, type: AttributeType.STRING, s: new TextEncoder().encode(value) });
  if (Array.isArray(value)) return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: value.map(BigInt) });
  if ('float' in value) return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value.float });
  return create(AttributeProtoSchema, { name, type: AttributeType.GRAPH, g: value as GraphProto });
}
