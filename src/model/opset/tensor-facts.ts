import type { GraphProto, NodeProto, TensorProto, ValueInfoProto } from 'onnx-buf';
import { isExternal } from '../file/check-tensor.ts';
import { attributeOf, integersOf } from '../graph/graph-index.ts';

/** Sizes along each axis; undefined where a size is not known. */
export type Sizes = readonly (number | undefined)[];

/** What follows from the graph about a tensor, whatever it is run on; undefined is not known. */
export interface TensorFacts {
  /** A `TensorProto_DataType`. */
  readonly type: number | undefined;
  readonly sizes: Sizes | undefined;
}

/** Ranks above this are not followed: a tensor of such a rank is a mistake. */
export const maximumRank = 64;

export const nothingKnown: TensorFacts = { type: undefined, sizes: undefined };

/** Facts about the tensors of a graph and of those around it, as far as its nodes have been read. */
export class FactTable {
  readonly #parent: FactTable | undefined;
  readonly #facts = new Map<string, TensorFacts>();
  readonly #constants = new Map<string, TensorProto>();

  constructor(graph: GraphProto, parent?: FactTable) {
    this.#parent = parent;
    // Element types are declared bindingly; of shapes only those of the model's own inputs are checked when it runs.
    for (const info of [...graph.valueInfo, ...graph.output]) this.#facts.set(info.name, { ...declared(info), sizes: undefined });
    for (const info of graph.input) {
      const facts = declared(info);
      this.#facts.set(info.name, parent === undefined ? facts : { ...facts, sizes: undefined });
    }
    const inputs = new Set(graph.input.map(({ name }) => name));
    for (const tensor of graph.initializer) {
      if (inputs.has(tensor.name)) continue;
      this.addConstant(tensor.name, tensor);
    }
  }

  get(name: string): TensorFacts {
    return this.#facts.get(name) ?? this.#parent?.get(name) ?? nothingKnown;
  }

  /** Adds what is known of a node's output; a type that was declared stays where none was found. */
  add(name: string, { type, sizes }: TensorFacts): void {
    this.#facts.set(name, { type: type ?? this.#facts.get(name)?.type, sizes: plausible(sizes) });
  }

  addConstant(name: string, tensor: TensorProto): void {
    this.#constants.set(name, tensor);
    this.#facts.set(name, { type: tensor.dataType, sizes: plausible(tensor.dims.map(Number)) });
  }

  /** A tensor with the same value in every call, its data in the model itself. */
  constant(name: string): TensorProto | undefined {
    const tensor = this.#facts.has(name) ? this.#constants.get(name) : this.#parent?.constant(name);
    return tensor === undefined || isExternal(tensor) ? undefined : tensor;
  }

  /** The values of a constant of whole numbers, one for each axis of a tensor at most. */
  integers(name: string): readonly number[] | undefined {
    const tensor = this.constant(name);
    const few = this.get(name).sizes?.every((size) => size !== undefined && size <= maximumRank) === true;
    return tensor === undefined || !few || tensor.dims.length > 1 ? undefined : integersOf(tensor);
  }
}

/** Whole numbers of an attribute; undefined where it is absent. */
export function integersAttribute(node: NodeProto, name: string): readonly number[] | undefined {
  return attributeOf(node, name)?.ints.map(Number);
}

function plausible(sizes: Sizes | undefined): Sizes | undefined {
  return sizes === undefined || sizes.length > maximumRank ? undefined : sizes;
}

function declared({ type }: ValueInfoProto): TensorFacts {
  if (type?.value.case !== 'tensorType') return nothingKnown;
  const { elemType, shape } = type.value.value;
  const sizes = shape?.dim.map(({ value }) => (value.case === 'dimValue' && value.value >= 0n ? Number(value.value) : undefined));
  return { type: elemType === 0 ? undefined : elemType, sizes: plausible(sizes) };
}
