import { create } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  NodeProtoSchema,
  TensorProto_DataType as DataType,
  TensorProtoSchema,
} from 'onnx-buf';
import type { AttributeProto, NodeProto, TensorProto } from 'onnx-buf';
import { AttnswapError } from '../../contract/errors.ts';
import { encodeHalf } from '../../inputs/half-precision.ts';
import { copyMessage } from '../graph/copy-message.ts';
import { constantNode } from '../graph/graph-builder.ts';
import { nodeName } from '../graph/graph-index.ts';
import { quoted } from '../file/invalid-model.ts';
import type { FactTable } from './tensor-facts.ts';

const scalarTypes: readonly (number | undefined)[] = [DataType.FLOAT, DataType.FLOAT16, DataType.DOUBLE];

/** What a node stands in. */
export interface Surroundings {
  /** The opset that the model has, of the standard operators. */
  readonly opset: number;
  readonly facts: FactTable;
  /** Whether something reads a tensor, or the graph gives it out. */
  readonly isRead: (tensor: string) => boolean;
  /** Makes a name that the model does not have yet from one that is wanted, and takes it. */
  readonly unique: (name: string) => string;
}

/** One node in the making: what replaces it is added in order, and ends with a node that keeps its name and outputs. */
export class NodeRewrite {
  readonly node: NodeProto;
  readonly opset: number;
  readonly facts: FactTable;
  readonly isRead: (tensor: string) => boolean;
  readonly #unique: (name: string) => string;
  readonly #added: NodeProto[] = [];

  constructor(node: NodeProto, { opset, facts, isRead, unique }: Surroundings) {
    this.node = node;
    this.opset = opset;
    this.facts = facts;
    this.isRead = isRead;
    this.#unique = unique;
  }

  /** An int64 constant: a list, 1-D. */
  integers(stem: string, values: readonly bigint[]): string {
    const rawData = new Uint8Array(BigInt64Array.from(values).buffer);
    return this.#constant(stem, { dataType: DataType.INT64, dims: [BigInt(values.length)], rawData });
  }

  /** A float32 constant: a list, 1-D. */
  floats(stem: string, values: readonly number[]): string {
    const rawData = new Uint8Array(Float32Array.from(values).buffer);
    return this.#constant(stem, { dataType: DataType.FLOAT, dims: [BigInt(values.length)], rawData });
  }

  /** A scalar of the element type of `like`. @throws INVALID_MODEL where that type is not known or no float */
  scalarLike(like: string, stem: string, value: number): string {
    const { type } = this.facts.get(like);
    if (type === undefined || !scalarTypes.includes(type))
      throw this.refusal(
        `the element type of ${quoted(like)} is ${type === undefined ? 'not known' : DataType[type]}, expected FLOAT, FLOAT16 or DOUBLE`,
      );
    return this.#constant(stem, { dataType: type, dims: [], rawData: scalarBytes(type, value) });
  }

  /** Adds a node with one output, and returns that output. */
  add(opType: string, input: readonly string[], attribute: readonly AttributeProto[] = []): string {
    const output = this.#fresh(opType.toLowerCase());
    this.#added.push(create(NodeProtoSchema, { opType, name: output, input: [...input], output: [output], attribute: [...attribute] }));
    return output;
  }

  /** Ends with the node itself, changed; its name and outputs stay. */
  end(changes: {
    readonly opType?: string;
    readonly input?: string[];
    readonly output?: string[];
    readonly attribute?: AttributeProto[];
  }): NodeProto[] {
    return [...this.#added, copyMessage(this.node, changes)];
  }

  /** The node's attributes without some of them. */
  without(...names: readonly string[]): AttributeProto[] {
    return this.node.attribute.filter(({ name }) => !names.includes(name));
  }

  refusal(why: string): AttnswapError {
    return new AttnswapError(
      'INVALID_MODEL',
      `node ${quoted(nodeName(this.node))} (${this.node.opType.slice(0, 100)}, opset ${this.opset}): ${why}`,
      {
        hint: 'convert the model to opset 13 with another tool, such as Python’s onnx.version_converter.convert_version(model, 13), or export it again',
      },
    );
  }

  #constant(stem: string, tensor: { dataType: number; dims: bigint[]; rawData: Uint8Array<ArrayBuffer> }): string {
    const name = this.#fresh(stem);
    this.#added.push(constantNode(create(TensorProtoSchema, { name, ...tensor }) as TensorProto));
    return name;
  }

  #fresh(stem: string): string {
    const output = this.node.output.find((name) => name !== '') ?? '';
    return this.#unique(`${output.slice(0, 9900)}/attnswap_opset13_${stem}`);
  }
}

function scalarBytes(type: number, value: number): Uint8Array<ArrayBuffer> {
  if (type === DataType.FLOAT16) return new Uint8Array(Uint16Array.of(encodeHalf(value)).buffer);
  return new Uint8Array((type === DataType.DOUBLE ? Float64Array : Float32Array).of(value).buffer);
}

export function integerAttribute(name: string, value: number): AttributeProto {
  return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value) });
}

export function textAttribute(name: string, value: string): AttributeProto {
  return create(AttributeProtoSchema, { name, type: AttributeType.STRING, s: new TextEncoder().encode(value) });
}
