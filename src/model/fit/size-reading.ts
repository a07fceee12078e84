import type { NodeProto } from 'onnx-buf';
import { integerOf, integersOf, attributeOf } from '../graph/graph-index.ts';
import type { GraphIndex } from '../graph/graph-index.ts';
import { derivedSize } from './size.ts';
import type { Size } from './size.ts';
import { SizeConflict, unknownTensor } from './tensor-sizes.ts';
import type { Axes, TensorSizes } from './tensor-sizes.ts';

/** What a node's outputs are; those that are left out are unknown. */
export type SizeRule = (reading: SizeReading) => TensorSizes | readonly TensorSizes[];

/** A node as a rule of sizes sees it. */
export class SizeReading {
  readonly node: NodeProto;
  readonly inputs: readonly TensorSizes[];
  readonly index: GraphIndex;
  /** Rows of the smallest table that each of the model's inputs picks from. */
  readonly tables: Map<string, number>;
  /** Inputs that must not hold 0. */
  readonly positive: Set<string>;

  constructor(node: NodeProto, inputs: readonly TensorSizes[], shared: Pick<SizeReading, 'index' | 'tables' | 'positive'>) {
    this.node = node;
    this.inputs = inputs;
    this.index = shared.index;
    this.tables = shared.tables;
    this.positive = shared.positive;
  }

  get first(): TensorSizes {
    return this.inputs[0] ?? unknownTensor;
  }

  axesOf(at: number): Axes | undefined {
    return this.inputs[at]?.axes;
  }

  integer(name: string, absent: number): number {
    return integerOf(this.node, name, absent);
  }

  /** Whole numbers of an attribute, or of a constant input where newer operators take one; undefined where absent or unknown. */
  integers(name: string, at?: number): readonly number[] | undefined {
    const attribute = attributeOf(this.node, name);
    if (attribute !== undefined) return attribute.ints.map(Number);
    const constant = at === undefined ? undefined : this.index.constant(this.node.input[at] ?? '');
    return constant === undefined ? undefined : integersOf(constant);
  }

  /** @throws SizeConflict where two sizes are known and differ */
  requireSame(left: Size | undefined, right: Size | undefined): void {
    if (left !== undefined && right !== undefined && left.value !== right.value) throw new SizeConflict(this.node, left, right);
  }

  /** @throws SizeConflict where a size is below 1 */
  requireSome(size: Size | undefined): Size | undefined {
    if (size !== undefined && size.value < 1) throw new SizeConflict(this.node, size);
    return size;
  }

  /** Notes that an input of the model picks rows of a table. */
  picks({ numbers }: TensorSizes, rows: Size | undefined): void {
    if (numbers === undefined || rows === undefined || rows.names.size > 0) return;
    const free = Math.max(1, rows.value - numbers.offset);
    this.tables.set(numbers.input, Math.min(free, this.tables.get(numbers.input) ?? Infinity));
  }

  /** Sizes that two tensors broadcast to. */
  broadcast(shapes: ReadonlyArray<Axes | undefined>): Axes | undefined {
    const known = shapes.filter((axes) => axes !== undefined);
    if (known.length < shapes.length || known.length === 0) return undefined;
    const rank = Math.max(...known.map((axes) => axes.length));
    return Array.from({ length: rank }, (_, axis) => {
      const along = known.flatMap((axes) => (axis < rank - axes.length ? [] : [axes[axis - rank + axes.length]]));
      const wide = along.filter((size) => size !== undefined && size.value !== 1);
      for (const size of wide.slice(1)) this.requireSame(size, wide[0]);
      // The one that depends on nothing is what the others must be.
      return wide.find((size) => size!.names.size === 0) ?? wide[0] ?? (along.includes(undefined) ? undefined : along[0]);
    });
  }
}

/** The axis that a number means, negative ones counted from the last. */
export function axisIn(axes: Axes, axis: number): number {
  return axis < 0 ? axis + axes.length : axis;
}

/** An axis of a convolution or pooling. */
export function windowed(
  size: Size | undefined,
  { kernel, stride, dilation, pads, isCeil }: { kernel: number; stride: number; dilation: number; pads: number; isCeil: boolean },
): Size | undefined {
  const reach = dilation * (kernel - 1) + 1;
  return derivedSize([size], (length) => (isCeil ? Math.ceil : Math.floor)((length! + pads - reach) / stride) + 1);
}
