import type { NodeProto } from 'onnx-buf';
import type { ModelInput } from '../../contract/adapter.ts';
import type { DimensionSizes } from '../../inputs/model-inputs.ts';
import type { GraphIndex } from '../graph/graph-index.ts';
import { dimensionSize, fixedSize } from './size.ts';
import { SizeReading } from './size-reading.ts';
import { sizeRules } from './size-rules.ts';
import { constantSizes, SizeConflict, unknownTensor } from './tensor-sizes.ts';
import type { TensorSizes } from './tensor-sizes.ts';

/** Axes, or values, that are followed at most. */
const mostFollowed = 64;

/** A graph's tensors at some sizes of its inputs, as far as its operators tell without being run. */
export interface FollowedSizes {
  /** The first node that these sizes do not suit. */
  readonly conflict?: SizeConflict;
  /** Rows of the smallest table that each input picks from, by its name. */
  readonly tables: ReadonlyMap<string, number>;
  /** Inputs that must not hold 0. */
  readonly positive: ReadonlySet<string>;
  /** The most bytes that a run holds at a time, of tensors whose sizes are dynamic and known. */
  readonly bytes: number;
  /** Sizes along each axis; undefined where they are not known. */
  dims(tensor: string): ReadonlyArray<number | undefined> | undefined;
}

/** Follows sizes through a graph, node by node. */
export function followSizes(index: GraphIndex, inputs: readonly ModelInput[], sizes: DimensionSizes): FollowedSizes {
  const { graph } = index;
  const tensors = new Map<string, TensorSizes>(graph.initializer.map((tensor) => [tensor.name, constantSizes(tensor)]));
  const tables = new Map<string, number>();
  const positive = new Set<string>();
  const live = new LiveBytes(index);
  const add = (name: string, { axes, values, ...more }: TensorSizes) => {
    const known = axes !== undefined && axes.length <= mostFollowed ? axes : undefined;
    tensors.set(name, { ...more, axes: known, values: values !== undefined && values.length <= mostFollowed ? values : undefined });
    if (known?.some((size) => size !== undefined && size.names.size > 0) === true)
      live.add(
        name,
        known.map((size) => size?.value ?? 1),
      );
  };
  for (const { name, dims, type } of inputs) {
    const axes = dims.map((size) => (typeof size === 'number' ? fixedSize(size) : dimensionSize(size, sizes[size] ?? 1)));
    add(name, { axes, isReal: type.startsWith('float'), numbers: /int/.test(type) ? { input: name, offset: 0 } : undefined });
  }
  const dims = (tensor: string) => tensors.get(tensor)?.axes?.map((size) => size?.value);
  for (const node of graph.node) {
    const read = node.input.map((name) => tensors.get(name) ?? unknownTensor);
    const found = followNode(new SizeReading(node, read, { index, tables, positive }));
    if (found instanceof SizeConflict) return { conflict: found, tables, positive, bytes: live.most, dims };
    for (const [at, name] of node.output.entries()) if (name !== '') add(name, found[at] ?? unknownTensor);
    for (const name of new Set(node.input)) live.read(name);
  }
  return { tables, positive, bytes: live.most, dims };
}

/** Bytes of tensors that are still to be read, four an element. */
class LiveBytes {
  /** The most at any time. */
  most = 0;
  #now = 0;
  readonly #index: GraphIndex;
  readonly #tensors = new Map<string, { readonly bytes: number; reads: number }>();

  constructor(index: GraphIndex) {
    this.#index = index;
  }

  add(name: string, dims: readonly number[]): void {
    const bytes = 4 * dims.reduce((product, size) => product * size, 1);
    this.#tensors.set(name, { bytes, reads: this.#index.consumers(name).length });
    this.#now += bytes;
    this.most = Math.max(this.most, this.#now);
  }

  read(name: string): void {
    const tensor = this.#tensors.get(name);
    if (tensor === undefined || --tensor.reads > 0) return;
    this.#now -= tensor.bytes;
    this.#tensors.delete(name);
  }
}

function followNode(reading: SizeReading): readonly TensorSizes[] | SizeConflict {
  try {
    const found = sizeRules.get(ruleName(reading.node))?.(reading) ?? [];
    return Array.isArray(found) ? (found as readonly TensorSizes[]) : [found as TensorSizes];
  } catch (error) {
    // A node that no runtime takes says nothing of sizes: the runtime will tell.
    return error instanceof SizeConflict ? error : [];
  }
}

function ruleName({ domain, opType }: NodeProto): string {
  return domain === '' || domain === 'ai.onnx' ? opType : `${domain}/${opType}`;
}
