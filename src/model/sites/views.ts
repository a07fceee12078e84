import type { RawView } from './candidate.ts';
import type { Part } from './raw-views.ts';
import type { GraphBuilder, Value } from '../graph/graph-builder.ts';
import { attributeOf, integersOf } from '../graph/graph-index.ts';
import type { GraphIndex } from '../graph/graph-index.ts';

/**
 * How a tensor lies, once it ran: `heads`: four axes, brought into `[batch, heads, n, headDim]` by `perm`; `merged`: three
 * axes, brought into `[batch·heads, n, headDim]`; `packed`: `[batch, n, heads·headDim]`.
 */
export interface View {
  readonly tensor: string;
  readonly layout: 'heads' | 'merged' | 'packed';
  readonly perm: readonly number[];
  readonly heads: number;
  /** Zeros behind the last axis that make keys as wide as values, or the other way round: they change no product of queries and keys, and no sum. */
  readonly padding?: number;
}

/** Settles a view by the tensor's sizes in a run of `batch`; undefined where it fits no layout. */
export function settleView(raw: RawView, dims: readonly number[], batch: number): View | undefined {
  const { tensor } = raw;
  if (raw.packedHeads !== undefined && dims.length === 3) return { tensor, layout: 'packed', perm: [0, 1, 2], heads: raw.packedHeads };
  const plain = raw.perm ?? dims.map((_, axis) => axis);
  const perm = raw.swapped === true ? [...plain.slice(0, -2), plain.at(-1)!, plain.at(-2)!] : plain;
  if (perm.length !== dims.length) return undefined;
  if (dims.length === 4) return { tensor, layout: 'heads', perm, heads: dims[perm[1]!]! };
  const merged = dims[perm[0]!]!;
  return dims.length === 3 && merged % batch === 0 ? { tensor, layout: 'merged', perm, heads: merged / batch } : undefined;
}

/** Sizes `[batch, heads, n, headDim]` of what a view shows of a tensor. */
export function viewedSizes({ layout, perm, heads, padding = 0 }: View, dims: readonly number[]): [number, number, number, number] {
  const [first = 0, second = 0, third = 0, fourth = 0] = perm.map((axis) => dims[axis]!);
  if (layout === 'packed') return [first, heads, second, third / heads + padding];
  return layout === 'merged' ? [first / heads, heads, second, third + padding] : [first, second, third, fourth + padding];
}

/** Views whose queries and keys have one width and whose values have another, all as wide as the wider. */
export function widened(views: Readonly<Record<Part, View>>, dimsOf: (tensor: string) => readonly number[]): Readonly<Record<Part, View>> {
  const widthOf = (part: Part) => viewedSizes(views[part], dimsOf(views[part].tensor))[3];
  const [keys, values] = [widthOf('key'), widthOf('value')];
  if (widthOf('query') !== keys || widthOf('output') !== values || keys === values) return views;
  const narrow: readonly Part[] = keys < values ? ['query', 'key'] : ['value', 'output'];
  const padding = Math.abs(keys - values);
  return { ...views, ...Object.fromEntries(narrow.map((part) => [part, { ...views[part], padding }])) };
}

/** How wide a view's tensor is itself, without zeros. */
export function ownWidth({ padding = 0 }: View, headDim: number): number {
  return headDim - padding;
}

function isPlain(perm: readonly number[]): boolean {
  return perm.every((axis, position) => axis === position);
}

/** Appends what brings a view's tensor into `[batch, heads, n, headDim]`. */
export function appendView(graph: GraphBuilder, view: View): Value {
  const shown = appendLayout(graph, view);
  return view.padding === undefined ? shown : graph.op('Pad', [shown, graph.int([0, 0, 0, 0, 0, 0, 0, view.padding])]);
}

function appendLayout(graph: GraphBuilder, { tensor, layout, perm, heads }: View): Value {
  if (layout === 'packed') {
    const split = graph.op('Reshape', [tensor, graph.int([0, 0, heads, -1])]);
    return graph.op('Transpose', [split], { perm: [0, 2, 1, 3] });
  }
  const ordered = isPlain(perm) ? tensor : graph.op('Transpose', [tensor], { perm });
  if (layout === 'heads') return ordered;
  return graph.op('Reshape', [ordered, graph.op('Concat', [graph.int([-1, heads]), graph.sizes(ordered, 1, 3)], { axis: 0 })]);
}

/** Appends what brings `[batch, heads, n, headDim]` back into a view's layout, without its zeros. */
export function appendInverse(graph: GraphBuilder, attended: Value, { layout, perm, padding }: View): Value {
  const tensor = padding === undefined ? attended : graph.op('Slice', [attended, graph.int([0]), graph.int([-padding]), graph.int([-1])]);
  if (layout === 'packed') return graph.op('Reshape', [graph.op('Transpose', [tensor], { perm: [0, 2, 1, 3] }), graph.int([0, 0, -1])]);
  const ordered =
    layout === 'heads'
      ? tensor
      : graph.op('Reshape', [tensor, graph.op('Concat', [graph.int([-1]), graph.sizes(tensor, 2, 4)], { axis: 0 })]);
  if (isPlain(perm)) return ordered;
  return graph.op('Transpose', [ordered], { perm: perm.map((_, axis) => perm.indexOf(axis)) });
}

/**
 * What key/value heads were repeated from, `[batch, kvHeads, n, headDim]`: Unsqueeze behind the heads, Expand or Tile, Reshape. Heads that
 * are repeated as h0 h1 h0 h1, by an axis before them, are heads of their own to a kernel.
 */
export function repeatedFrom(index: GraphIndex, tensor: string): string | undefined {
  const reshape = index.producer(tensor);
  const repeat = reshape?.opType === 'Reshape' ? index.producer(reshape.input[0]!) : undefined;
  if (repeat?.opType !== 'Expand' && repeat?.opType !== 'Tile') return undefined;
  const unsqueeze = index.producer(repeat.input[0]!);
  if (unsqueeze?.opType !== 'Unsqueeze') return undefined;
  const axes = index.constant(unsqueeze.input[1] ?? '');
  const [axis, ...more] = axes === undefined ? (attributeOf(unsqueeze, 'axes')?.ints.map(Number) ?? []) : (integersOf(axes) ?? []);
  return more.length === 0 && (axis === 2 || axis === -3) ? unsqueeze.input[0] : undefined;
}
