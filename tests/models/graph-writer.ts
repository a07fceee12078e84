import { create, toBinary } from '@bufbuild/protobuf';
import { GraphProtoSchema, ModelProtoSchema, NodeProtoSchema } from 'onnx-buf';
import type { NodeProto, TensorProto, ValueInfoProto } from 'onnx-buf';
import { attributeProto, elementTypes, tensorProto, valueInfo } from './protos.ts';
import type { Attribute, Dimension, ElementType } from './protos.ts';

/** The name of a tensor in a graph. */
export type Value = string;
export type Attributes = Readonly<Record<string, Attribute>>;

/** How a program writes ONNX files. */
export interface Exporter {
  readonly producer: string;
  readonly opset: number;
  readonly irVersion: number;
  /** Where small constants go: into nodes of their own, or into initializers. */
  readonly constants: 'nodes' | 'initializers';
  /** Where weights go. */
  readonly weights: 'nodes' | 'initializers';
  /** The name of an operator's output: `serial` counts within the graph, `repeat` within operator and scope. */
  readonly tensorName: (of: { operator: string; scope: string; serial: number; repeat: number }) => string;
  /** Names a weight other than by its place in the module; `use` is the operator that takes it. */
  readonly weightName?: (of: { name: string; use: string; serial: number }) => string;
}

const contribOperators = new Set(['MultiHeadAttention', 'GroupQueryAttention']);

/** Writes one ONNX graph in an exporter's manner, node by node. */
export class GraphWriter {
  readonly exporter: Exporter;
  /** The module whose operators follow, as exporters put it before names. */
  scope = '';
  readonly #nodes: NodeProto[] = [];
  readonly #initializers: TensorProto[] = [];
  readonly #inputs: ValueInfoProto[] = [];
  readonly #outputs: ValueInfoProto[] = [];
  readonly #repeats = new Map<string, number>();
  #serial = 0;

  /** The type of floats: of weights, constants and states. */
  readonly floatType: 'f32' | 'f16';

  constructor(exporter: Exporter, floatType: 'f32' | 'f16' = 'f32') {
    this.exporter = exporter;
    this.floatType = floatType;
  }

  get opset(): number {
    return this.exporter.opset;
  }

  input(name: string, type: ElementType, dims: readonly Dimension[]): Value {
    this.#inputs.push(valueInfo(name, type, dims));
    return name;
  }

  /** Appends a node with one output and returns that output's name. An input of '' is an absent optional input. */
  op(operator: string, inputs: readonly Value[], attributes: Attributes = {}): Value {
    return this.ops(operator, inputs, 1, attributes)[0]!;
  }

  /** Appends a node with `count` outputs and returns their names. */
  ops(operator: string, inputs: readonly Value[], count: number, attributes: Attributes = {}): Value[] {
    return this.#append(operator, contribOperators.has(operator) ? 'com.microsoft' : '', inputs, count, attributes);
  }

  /** Appends a node of ONNX Runtime's own domain, for names that the standard has too. */
  microsoft(operator: string, inputs: readonly Value[], attributes: Attributes): Value {
    return this.#append(operator, 'com.microsoft', inputs, 1, attributes)[0]!;
  }

  /** A weight, row-major. `use` is the operator that takes it. */
  weight(name: string, dims: readonly number[], values: ArrayLike<number>, { type = this.floatType as ElementType, use = '' } = {}): Value {
    const { weightName } = this.exporter;
    const given = weightName === undefined ? name : weightName({ name, use, serial: this.#serial++ });
    if (this.exporter.weights === 'initializers') this.#initializers.push(tensorProto(given, type, dims, values));
    else this.#nodes.push(constantNode(given, tensorProto('', type, dims, values)));
    return given;
  }

  /** A small constant: a scalar for a number, a 1-D tensor for a list. */
  constant(type: ElementType, value: number | bigint | ReadonlyArray<number | bigint>): Value {
    const list = Array.isArray(value);
    const values = (list ? value : [value]) as ReadonlyArray<number | bigint>;
    const name = this.#fresh('Constant');
    const tensor = tensorProto(this.exporter.constants === 'nodes' ? '' : name, type, list ? [values.length] : [], values);
    if (this.exporter.constants === 'nodes') this.#nodes.push(constantNode(name, tensor));
    else this.#initializers.push(tensor);
    return name;
  }

  int(value: number | bigint | ReadonlyArray<number | bigint>): Value {
    return this.constant('i64', value);
  }

  float(value: number | readonly number[]): Value {
    return this.constant(this.floatType, value);
  }

  cast(value: Value, type: ElementType): Value {
    return this.op('Cast', [value], { to: elementTypes[type] });
  }

  unsqueeze(value: Value, axes: readonly number[]): Value {
    return this.opset >= 13 ? this.op('Unsqueeze', [value, this.int(axes)]) : this.op('Unsqueeze', [value], { axes });
  }

  squeeze(value: Value, axes: readonly number[]): Value {
    return this.opset >= 13 ? this.op('Squeeze', [value, this.int(axes)]) : this.op('Squeeze', [value], { axes });
  }

  /** `value[…, start:end, …]` along one axis. */
  slice(value: Value, axis: number, start: number, end: number): Value {
    if (this.opset < 10) return this.op('Slice', [value], { axes: [axis], starts: [start], ends: [end] });
    return this.op('Slice', [value, this.int([start]), this.int([end]), this.int([axis]), this.int([1])]);
  }

  /** Makes a tensor an output of the model; it takes the output's name. */
  output(name: string, value: Value, type: ElementType, dims: readonly Dimension[]): void {
    this.#outputs.push(valueInfo(this.rename(value, name), type, dims));
  }

  /** Gives a tensor the name that its exporter does, and returns it. */
  rename(value: Value, name: string): Value {
    const renamed = (names: string[]): string[] => names.map((each) => (each === value ? name : each));
    for (const node of this.#nodes) {
      node.input = renamed(node.input);
      node.output = renamed(node.output);
    }
    return name;
  }

  bytes(): Uint8Array {
    const { producer, irVersion, opset } = this.exporter;
    const contrib = this.#nodes.some((node) => node.domain === 'com.microsoft');
    const model = create(ModelProtoSchema, {
      irVersion: BigInt(irVersion),
      producerName: producer,
      opsetImport: [{ domain: '', version: BigInt(opset) }, ...(contrib ? [{ domain: 'com.microsoft', version: 1n }] : [])],
      graph: create(GraphProtoSchema, {
        name: 'main_graph',
        node: this.#nodes,
        initializer: this.#initializers,
        input: this.#inputs,
        output: this.#outputs,
      }),
    });
    return toBinary(ModelProtoSchema, model);
  }

  #append(opType: string, domain: string, input: readonly Value[], count: number, attributes: Attributes): Value[] {
    const output = Array.from({ length: count }, () => this.#fresh(opType));
    const attribute = Object.entries(attributes).map(([name, value]) => attributeProto(name, value));
    const name = `${this.scope}/${opType}_${this.#nodes.length}`;
    this.#nodes.push(create(NodeProtoSchema, { opType, domain, name, input: [...input], output, attribute }));
    return output;
  }

  #fresh(operator: string): Value {
    const key = `${this.scope} ${operator}`;
    const repeat = this.#repeats.get(key) ?? 0;
    this.#repeats.set(key, repeat + 1);
    return this.exporter.tensorName({ operator, scope: this.scope, serial: this.#serial++, repeat });
  }
}

function constantNode(name: string, tensor: TensorProto): NodeProto {
  return create(NodeProtoSchema, { opType: 'Constant', output: [name], attribute: [attributeProto('value', { tensor })] });
}
