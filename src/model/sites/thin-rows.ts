import type { NodeProto } from 'onnx-buf';
import type { FollowedSizes } from '../fit/follow-sizes.ts';
import { elementTypes } from '../graph/element-types.ts';
import type { GraphBuilder } from '../graph/graph-builder.ts';
import { attributeOf, integerOf, integersOf } from '../graph/graph-index.ts';
import type { GraphIndex } from '../graph/graph-index.ts';

/** Operators whose result at a place rests on nothing but their inputs at that place. */
const elementwise = new Set(
  (
    'Abs Add And BitwiseAnd BitwiseNot BitwiseOr Cast CastLike Ceil Clip Div Equal Exp Floor Greater GreaterOrEqual Identity IsInf IsNaN Less ' +
    'LessOrEqual Log Max Min Mod Mul Neg Not Or Pow Reciprocal Round Sign Sqrt Sub Tanh Where Xor'
  ).split(' '),
);

/** Operators whose result is as large as their first input. */
const likeFirst = new Set('CumSum ScatterElements ScatterND Softmax Trilu'.split(' '));

/** Beyond every size: an end that means the last, and a distance between rows that leaves one. */
const beyondAll = 2 ** 40;
/** From here on exporters mean the last. */
const toTheLast = 2 ** 31 - 1;

/** What rows are thinned in. */
export interface Thinning {
  readonly graph: GraphBuilder;
  readonly index: GraphIndex;
  /** Sizes of a tensor in some run, as far as they are known: only how many there are counts. */
  readonly dims: FollowedSizes['dims'];
  /** Name of an int64 [1] tensor: minus the distance between rows. Where absent, only the last row stays. */
  readonly step?: string;
}

/**
 * Appends what gives every n-th row of a tensor, counted back from the last, as far as can be from as many rows of what it is computed from:
 * of a mask of 4096 tokens 256 rows are then computed.
 */
export class ThinRows {
  readonly #known = new Map<string, string>();
  readonly #in: Thinning & { readonly step: string };
  readonly #last: ThinRows;

  constructor(thinning: Thinning) {
    const { step, ...rest } = thinning;
    this.#in = { ...rest, step: step ?? thinning.graph.int([-beyondAll]) };
    this.#last = step === undefined ? this : new ThinRows(rest);
  }

  /** @param axis of the rows, counted from the last axis, which is −1 */
  of(tensor: string, axis = -2): string {
    const key = `${axis} ${tensor}`;
    const thin = this.#known.get(key) ?? this.#computed(tensor, axis) ?? this.#sliced(tensor, axis);
    this.#known.set(key, thin);
    return thin;
  }

  /** Appends the sizes of a tensor, int64 [rank]: one row and one column tell them, and are all that is computed where that can be. */
  sizesOf(tensor: string): string {
    const { graph } = this.#in;
    const rank = this.#rank(tensor);
    if (rank === undefined || rank < 2) return graph.op('Shape', [tensor]);
    const [row, column] = [this.#last.of(tensor, -2), this.#last.of(tensor, -1)];
    return graph.op('Concat', [graph.sizes(column, 0, rank - 1), graph.sizes(row, rank - 1, rank)], { axis: 0 });
  }

  #sliced(tensor: string, axis: number): string {
    const { graph, step } = this.#in;
    return graph.op('Slice', [tensor, graph.int([-1]), graph.int([-beyondAll]), graph.int([axis]), step]);
  }

  /** Computed anew from thinned inputs; undefined where that is not known to give the same. */
  #computed(tensor: string, axis: number): string | undefined {
    const { index, graph } = this.#in;
    const node = index.producer(tensor);
    const rank = this.#rank(tensor);
    if (node === undefined || rank === undefined || !['', 'ai.onnx'].includes(node.domain)) return undefined;
    // A last row is only asked how large it is.
    if (this.#last === this && likeFirst.has(node.opType)) return this.of(node.input[0]!, axis);
    if (node.opType === 'Slice') return this.#cut(node, rank, axis);
    if (node.opType === 'Trilu') return this.#triangle(node, axis);
    const inputs = elementwise.has(node.opType) ? this.#beside(node.input, axis) : this.#moved(node, rank, axis);
    return inputs && graph.copy(node, inputs)[0];
  }

  #rank(tensor: string): number | undefined {
    return this.#in.dims(tensor)?.length;
  }

  /** Tensors as broadcasting lays them beside each other. */
  #beside(tensors: readonly string[], axis: number): string[] | undefined {
    const ranks = tensors.map((tensor) => (tensor === '' ? 0 : this.#rank(tensor)));
    return ranks.includes(undefined) ? undefined : tensors.map((tensor, at) => (ranks[at]! < -axis ? tensor : this.of(tensor, axis)));
  }

  /** The thinned inputs of an operator that fills, repeats, multiplies or moves axes. */
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
        const axes = this.#constants(second)?.map((each) => (each < 0 ? each + rank : each));
        if (axes === undefined || axes.includes(place)) return undefined;
        return [this.of(data, place - axes.filter((each) => each < place).length - dataRank), second];
      }
      case 'Squeeze': {
        const gone = this.#constants(second)?.map((each) => (each < 0 ? each + dataRank : each));
        const from = gone && [...Array(dataRank).keys()].filter((each) => !gone.includes(each))[place];
        return from === undefined ? undefined : [this.of(data, from - dataRank), second];
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
      case 'GatherND': {
        const picked = this.#rank(second);
        const isPlain = picked !== undefined && place < picked - 1 && integerOf(node, 'batch_dims', 0) === 0;
        return isPlain ? [data, this.of(second, place - picked)] : undefined;
      }
      case 'Softmax':
        // Each row by itself.
        return axis < -1 && [-1, rank - 1].includes(integerOf(node, 'axis', -1)) ? [this.of(data, axis)] : undefined;
      case 'MatMul': {
        const otherRank = this.#rank(second);
        if (otherRank === undefined || dataRank < 2 || otherRank < 2 || this.#in.index.isConstant(second)) return undefined;
        if (axis === -2) return [this.of(data), second];
        return axis === -1 ? [data, this.of(second, -1)] : this.#beside(node.input, axis);
      }
      case 'Concat': {
        const along = integerOf(node, 'axis', 0);
        return (along < 0 ? along : along - rank) === axis ? undefined : this.#beside(node.input, axis);
      }
      default:
        return undefined;
    }
  }

  #constants(tensor: string): readonly number[] | undefined {
    const constant = this.#in.index.constant(tensor);
    return constant && integersOf(constant);
  }

  /** Thinned before it is cut, where the cut leaves rows as they are, or keeps the last ones. */
  #cut(node: NodeProto, rank: number, axis: number): string | undefined {
    const { graph } = this.#in;
    const [data = '', starts = '', ends = '', along = '', steps = ''] = node.input;
    const axes = along === '' ? this.#in.dims(starts)?.[0] === 1 && [0] : this.#constants(along);
    const isEach = steps === '' || this.#constants(steps)?.every((each) => each === 1) === true;
    if (!Array.isArray(axes) || !isEach) return undefined;
    if (axes.every((each: number) => (each < 0 ? each : each - rank) !== axis))
      return graph.copy(node, [this.of(data, axis), ...node.input.slice(1)])[0];
    if (axes.length > 1 || !((this.#constants(ends)?.[0] ?? 0) >= toTheLast)) return undefined;
    const all = graph.op('Slice', [this.sizesOf(data), graph.int([rank + axis]), graph.int([rank + axis + 1])]);
    const start = graph.op('Cast', [starts], { to: elementTypes.i64 });
    const first = graph.op('Where', [graph.op('Less', [start, graph.int(0)]), graph.op('Add', [all, start]), start]);
    const count = this.#thinned(graph.op('Sub', [all, graph.op('Max', [graph.op('Min', [first, all]), graph.int([0])])]));
    return graph.op('Slice', [this.of(data, axis), graph.int([0]), count, graph.int([axis])]);
  }

  /** One half of each matrix, by where rows and columns were. */
  #triangle(node: NodeProto, axis: number): string {
    const { graph } = this.#in;
    const [data = '', offset = ''] = node.input;
    const thin = this.of(data, axis);
    if (axis < -2) return graph.copy(node, [thin, ...node.input.slice(1)])[0]!;
    const sizes = this.sizesOf(data);
    const places = (at: number) => {
      const count = graph.op('Gather', [sizes, graph.int(at)]);
      const all = graph.op('Range', [graph.int(0), count, graph.int(1)]);
      return at === axis ? this.#sliced(all, -1) : all;
    };
    const rows = graph.op('Unsqueeze', [places(-2), graph.int([-1])]);
    const distance = graph.op('Sub', [places(-1), rows]);
    const isUpper = integerOf(node, 'upper', 1) !== 0;
    const stays = graph.op(isUpper ? 'GreaterOrEqual' : 'LessOrEqual', [distance, offset === '' ? graph.int(0) : offset]);
    const corner = graph.op('Slice', [thin, graph.int([0, 0]), graph.int([1, 1]), graph.int([-2, -1])]);
    // A corner above the diagonal is 0, in whatever type.
    return graph.op('Where', [stays, thin, graph.op('Trilu', [corner, graph.int(1)])]);
  }

  /** Sizes with as many rows at one place as are left of those there. */
  #shape(sizes: string, place: number): string {
    const { graph } = this.#in;
    const part = (start: number, end: number) => graph.op('Slice', [sizes, graph.int([start]), graph.int([end])]);
    return graph.op('Concat', [part(0, place), this.#thinned(part(place, place + 1)), part(place + 1, 2 ** 31)], { axis: 0 });
  }

  /** As many rows as are left of so many, int64 [1]. */
  #thinned(count: string): string {
    const { graph, step } = this.#in;
    const distance = graph.op('Neg', [step]);
    const rounded = graph.op('Sub', [graph.op('Add', [count, distance]), graph.int([1])]);
    return graph.op('Div', [rounded, distance]);
  }
}
