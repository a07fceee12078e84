import type { NodeProto } from 'onnx-buf';
import type { FollowedSizes } from '../fit/follow-sizes.ts';
import type { GraphBuilder } from '../graph/graph-builder.ts';
import { attributeOf, integerOf, integersOf } from '../graph/graph-index.ts';
import type { GraphIndex } from '../graph/graph-index.ts';

/** Operators whose result at a place rests on nothing but their inputs at that place. */
const elementwise = new Set(
  (
    'Abs Add And BitwiseAnd BitwiseNot BitwiseOr Cast CastLike Ceil Div Equal Exp Floor Greater GreaterOrEqual Identity Less LessOrEqual Log ' +
    'Max Min Mod Mul Neg Not Or Pow Reciprocal Round Sign Sqrt Sub Tanh Where Xor'
  ).split(' '),
);

/** What rows are thinned in. */
export interface Thinning {
  readonly graph: GraphBuilder;
  readonly index: GraphIndex;
  /** Sizes of a tensor in some run, as far as they are known: only how many there are counts. */
  readonly dims: FollowedSizes['dims'];
  /** Name of an int64 [1] tensor: minus the distance between rows. */
  readonly step: string;
}

/**
 * Appends what gives every n-th row of a tensor, counted back from the last, as far as can be from as many rows of what it is computed from:
 * of a mask of 4096 tokens 256 rows are then computed.
 */
export class ThinRows {
  readonly #known = new Map<string, string>();
  readonly #in: Thinning;

  constructor(thinning: Thinning) {
    this.#in = thinning;
  }

  /** @param axis of the rows, counted from the last axis, which is −1 */
  of(tensor: string, axis = -2): string {
    const key = `${axis} ${tensor}`;
    const thin = this.#known.get(key) ?? this.#computed(tensor, axis) ?? this.#sliced(tensor, axis);
    this.#known.set(key, thin);
    return thin;
  }

  #sliced(tensor: string, axis: number): string {
    const { graph, step } = this.#in;
    return graph.op('Slice', [tensor, graph.int([-1]), graph.int([-(2 ** 40)]), graph.int([axis]), step]);
  }

  /** Computed anew from thinned inputs; undefined where that is not known to give the same. */
  #computed(tensor: string, axis: number): string | undefined {
    const { index, graph } = this.#in;
    const node = index.producer(tensor);
    const rank = this.#rank(tensor);
    if (node === undefined || rank === undefined || !['', 'ai.onnx'].includes(node.domain)) return undefined;
    const inputs = elementwise.has(node.opType) ? this.#beside(node.input, axis) : this.#moved(node, rank, axis);
    return inputs && graph.copy(node, inputs)[0];
  }

  #rank(tensor: string): number | undefined {
    return this.#in.dims(tensor)?.length;
  }

  /** Tensors as broadcasting lays them beside each other. */
  #beside(tensors: readonly string[], axis: number): string[] | undefined {
    const ranks = tensors.map((tensor) => this.#rank(tensor));
    return ranks.includes(undefined) ? undefined : tensors.map((tensor, at) => (ranks[at]! < -axis ? tensor : this.of(tensor, axis)));
  }

  /** The thinned inputs of an operator that fills, repeats or moves axes. */
  #moved(node: NodeProto, rank: number, axis: number): string[] | undefined {
    const [data = '', second = ''] = node.input;
    const place = rank + axis;
    if (node.opType === 'ConstantOfShape') return [this.#shape(data, place)];
    const dataRank = this.#rank(data);
    if (dataRank === undefined) return undefined;
    switch (node.opType) {
      case 'Expand': {
        const [length] = this.#in.dims(second) ?? [];
        const thin = this.#beside([data], axis);
        return length === undefined || thin === undefined
          ? undefined
          : [...thin, length < -axis ? second : this.#shape(second, length + axis)];
      }
      case 'Transpose': {
        const from = attributeOf(node, 'perm')?.ints.map(Number)[place] ?? rank - 1 - place;
        return [this.of(data, from - rank)];
      }
      case 'Unsqueeze': {
        const constant = this.#in.index.constant(second);
        const axes = constant && integersOf(constant)?.map((each) => (each < 0 ? each + rank : each));
        if (axes === undefined || axes.includes(place)) return undefined;
        return [this.of(data, place - axes.filter((each) => each < place).length - dataRank), second];
      }
      case 'Gather': {
        const picked = this.#rank(second);
        const along = integerOf(node, 'axis', 0);
        const first = along < 0 ? along + dataRank : along;
        if (picked === undefined) return undefined;
        if (place < first) return [this.of(data, place - dataRank), second];
        if (place < first + picked) return [data, this.of(second, place - first - picked)];
        return [this.of(data, place - picked + 1 - dataRank), second];
      }
      default:
        return undefined;
    }
  }

  /** Sizes with as many rows at one place as are left of those there. */
  #shape(sizes: string, place: number): string {
    const { graph, step } = this.#in;
    const part = (start: number, end: number) => graph.op('Slice', [sizes, graph.int([start]), graph.int([end])]);
    const distance = graph.op('Neg', [step]);
    const rounded = graph.op('Sub', [graph.op('Add', [part(place, place + 1), distance]), graph.int([1])]);
    const rows = graph.op('Div', [rounded, distance]);
    return graph.op('Concat', [part(0, place), rows, part(place + 1, 2 ** 31)], { axis: 0 });
  }
}
