import type { NodeProto } from 'onnx-buf';
import { removedBelow } from '../../contract/inputs.ts';
import { elementTypes } from '../graph/element-types.ts';
import type { GraphBuilder, Value } from '../graph/graph-builder.ts';
import { attributeOf, integerOf } from '../graph/graph-index.ts';
import { appendMask } from './append-mask.ts';
import type { Declared } from './candidate.ts';
import { reshapes } from './logit-path.ts';
import type { PathStep } from './logit-path.ts';
import type { Seen } from './watch.ts';

export type Dtype = 'f32' | 'f16';

/** Queries and keys of a site, `[batch, heads, queries, headDim]` and `[batch, kvHeads, keys, headDim]`. */
export interface BiasPlace {
  readonly query: Value;
  readonly key: Value;
}

/**
 * Appends what a site adds to its scaled products, as the model itself computes it: four axes that broadcast to
 * `[batch, heads, queries, keys]`, finite, in the site's dtype.
 */
export type AppendBias = (graph: GraphBuilder, at: BiasPlace) => Value;

/** How logits lie: `[batch, heads, queries, keys]`, `[batch·heads, queries, keys]`, or in some other way with the same last axes. */
export type Layout = 'heads' | 'merged' | 'other';

/** What a path adds to its product, and what must be known of it. */
export interface BiasPlan {
  readonly product: NodeProto;
  /** From the product to the last step that adds or replaces. */
  readonly steps: readonly PathStep[];
  /** Of what the path carries, by name. */
  readonly layouts: ReadonlyMap<string, Layout>;
  /** Tensors beside the path that are computed from the sizes of what it carries: their nodes are copied, as the path itself goes. */
  readonly bySizes: ReadonlyMap<string, NodeProto>;
  readonly heads: number;
  readonly dtype: Dtype;
}

/** Follows a product of zero along a path whose logits are linear in it: what arrives is the bias. */
export class PathBias {
  readonly #graph: GraphBuilder;
  readonly #plan: BiasPlan;
  readonly #at: BiasPlace;
  /** Names here of what was copied, by name in the model. */
  readonly #copies = new Map<string, Value>();
  /** Sizes of what the path carries, by name. */
  readonly #sizes = new Map<string, () => Value>();
  /** How what the path carries lies. */
  #layout: Layout;
  #type: Dtype;
  /** What was added so far; absent: nothing. */
  #bias: Value | undefined;

  constructor(graph: GraphBuilder, plan: BiasPlan, at: BiasPlace) {
    this.#graph = graph;
    this.#plan = plan;
    this.#at = at;
    this.#type = plan.dtype;
    const product = plan.product.output[0]!;
    this.#layout = plan.layouts.get(product)!;
    const layout = this.#layout === 'heads' ? 'heads' : 'merged';
    this.#sizes.set(product, () => this.#sizesIn(layout));
  }

  append(): Value {
    for (const step of this.#plan.steps) {
      const before = this.#sizes.get(step.node.input[step.carried]!)!;
      if (reshapes.has(step.node.opType)) this.#reshape(step.node, before);
      else {
        this.#bias = this.#step(step);
        this.#sizes.set(step.node.output[0]!, before);
      }
    }
    if (this.#layout === 'merged') this.#split();
    const bias = this.#layout === 'other' ? this.#graph.op('Reshape', [this.#bias!, this.#sizesIn('heads')]) : this.#bias!;
    return finished(this.#graph, bias, this.#type, this.#plan.dtype);
  }

  /** What the path's step makes of the bias. */
  #step({ node, carried }: PathStep): Value | undefined {
    const bias = this.#bias;
    const inputs = node.input.map((name, at) => (at === carried || name === '' ? '' : this.#named(name)));
    const side = inputs[1 - carried];
    const carry = (carriedInput: Value) => this.#graph.copy(node, inputs.with(carried, carriedInput))[0]!;
    switch (node.opType) {
      case 'Add':
        return bias === undefined ? side : carry(bias);
      case 'Sub':
        return bias === undefined ? this.#graph.op('Neg', [side!]) : carry(bias);
      case 'Where':
        return carry(bias ?? this.#graph.scalar(0, this.#type));
      case 'Cast':
        this.#type = integerOf(node, 'to', elementTypes.f32) === elementTypes.f16 ? 'f16' : 'f32';
        return bias && carry(bias);
      case 'Dropout':
        return bias;
      default:
        return bias && carry(bias);
    }
  }

  /** Between the two usual layouts only the leading axes change; for any other the bias is spread out and reshaped as the model does it. */
  #reshape(node: NodeProto, before: () => Value): void {
    const [from, to] = [this.#layout, this.#plan.layouts.get(node.output[0]!)!];
    this.#layout = to;
    if (to !== 'other') this.#sizes.set(node.output[0]!, () => this.#sizesIn(to));
    if (to !== 'other' && (from === to || this.#bias === undefined)) return;
    if (from === 'merged' && to === 'heads') this.#split();
    else if (from === 'heads' && to === 'merged') {
      const wide = this.#graph.op('Expand', [this.#bias!, this.#lead(this.#sizesIn('heads'), 2)]);
      const sizes = this.#graph.op('Concat', [this.#graph.int([-1]), this.#graph.sizes(wide, 2, 4)], { axis: 0 });
      this.#bias = this.#graph.op('Reshape', [wide, sizes]);
    } else {
      const full = this.#graph.op('Expand', [this.#bias ?? this.#graph.scalar(0, this.#type), before()]);
      const inputs = node.input.map((name, at) => (at === 0 ? full : name === '' ? '' : this.#named(name)));
      const [reshaped = ''] = this.#graph.copy(node, inputs);
      this.#bias = reshaped;
      if (to === 'other') this.#sizes.set(node.output[0]!, () => this.#graph.op('Shape', [reshaped]));
    }
  }

  /** `[1 or batch·heads, …]` → `[batch, heads, …]`. */
  #split(): void {
    const wide = this.#graph.op('Expand', [this.#bias!, this.#lead(this.#sizesIn('merged'), 1)]);
    const sizes = this.#graph.op('Concat', [this.#graph.int([-1, this.#plan.heads]), this.#graph.sizes(wide, 1, 3)], { axis: 0 });
    this.#bias = this.#graph.op('Reshape', [wide, sizes]);
    this.#layout = 'heads';
  }

  /** The first so many sizes, and two of 1: what broadcasting makes of them leaves the last two axes as they are. */
  #lead(sizes: Value, count: number): Value {
    const leading = this.#graph.op('Slice', [sizes, this.#graph.int([0]), this.#graph.int([count])]);
    return this.#graph.op('Concat', [leading, this.#graph.int([1, 1])], { axis: 0 });
  }

  /** Sizes of the site's logits. */
  #sizesIn(layout: 'heads' | 'merged'): Value {
    const { query, key } = this.#at;
    const keys = this.#graph.sizes(key, 2, 3);
    if (layout === 'heads') return this.#graph.op('Concat', [this.#graph.sizes(query, 0, 3), keys], { axis: 0 });
    const merged = this.#graph.op('Mul', [this.#graph.sizes(query, 0, 1), this.#graph.int([this.#plan.heads])]);
    return this.#graph.op('Concat', [merged, this.#graph.sizes(query, 2, 3), keys], { axis: 0 });
  }

  /** A tensor beside the path: the model's own, or a copy where that needs the sizes of logits, which are no longer there. */
  #named(name: string): Value {
    const node = this.#plan.bySizes.get(name);
    if (node === undefined) return name;
    const known = this.#copies.get(name);
    if (known !== undefined) return known;
    const carried = this.#sizes.get(node.input[0]!);
    const outputs =
      carried === undefined
        ? this.#graph.copy(
            node,
            node.input.map((input) => (input === '' ? '' : this.#named(input))),
          )
        : [this.#shapeOf(node, carried())];
    node.output.forEach((output, at) => this.#copies.set(output, outputs[at]!));
    return this.#copies.get(name)!;
  }

  /** What Shape or Size gives of sizes that are known. */
  #shapeOf(node: NodeProto, sizes: Value): Value {
    if (node.opType === 'Size') return this.#graph.op('ReduceProd', [sizes], { keepdims: 0 });
    const [start, end] = [integerOf(node, 'start', 0), attributeOf(node, 'end')];
    if (start === 0 && end === undefined) return sizes;
    return this.#graph.op('Slice', [sizes, this.#graph.int([start]), this.#graph.int([end === undefined ? 2 ** 40 : Number(end.i)])]);
  }
}

/** Four axes, in the site's dtype, with no number so low that it would leave NaN in a row of nothing else. */
function finished(graph: GraphBuilder, bias: Value, type: Dtype, dtype: Dtype): Value {
  const low = Math.max(2 * removedBelow[dtype], 2 * removedBelow[type]);
  const lowest = graph.op('Reshape', [graph.scalar(low, type), graph.int([1, 1, 1, 1])]);
  const held = graph.op('Max', [bias, lowest]);
  return type === dtype ? held : graph.op('Cast', [held], { to: elementTypes[dtype] });
}

/** How far each query stands behind each key: int64, `[1 or batch, 1, queries, keys]`. */
function distances(graph: GraphBuilder, { query, key }: BiasPlace, declared: Declared): Value {
  const [queries, keys] = [query, key].map((tensor) => graph.op('Squeeze', [graph.sizes(tensor, 2, 3)])) as [Value, Value];
  const places = (count: Value) => graph.op('Range', [graph.int(0), count, graph.int(1)]);
  const rows = graph.op('Unsqueeze', [places(queries), graph.int([0, 1, 3])]);
  return graph.op('Sub', [graph.op('Add', [rows, firstQuery(graph, { queries, keys }, declared)]), places(keys)]);
}

/** The position of the first query among the keys: int64, a scalar or `[batch, 1, 1, 1]`. */
function firstQuery(graph: GraphBuilder, { queries, keys }: { queries: Value; keys: Value }, { causal, window }: Declared): Value {
  const perElement = (tensor: string) =>
    graph.op('Reshape', [graph.op('Cast', [tensor], { to: elementTypes.i64 }), graph.int([-1, 1, 1, 1])]);
  if (causal === 'first') return graph.int(0);
  if (typeof causal === 'object') return graph.op('Sub', [perElement(causal.counts), queries]);
  if (window?.ends === undefined) return graph.op('Sub', [keys, queries]);
  const first = graph.op('Sub', [graph.op('Add', [perElement(window.ends), graph.int(1)]), queries]);
  return graph.op('Where', [graph.op('Equal', [queries, keys]), graph.int(0), first]);
}

/** What a fused operator's masks, window and own way to be causal add to its logits; undefined where it has none of them. */
export function declaredBias(declared: Declared, seen: Seen, dtype: Dtype): AppendBias | undefined {
  const { masks, window, causal } = declared;
  const isCausal = causal !== false && causal !== 'last';
  if (masks.length === 0 && window === undefined && !isCausal) return undefined;
  return (graph, at) => {
    const choose = (keep: Value) => graph.op('Where', [keep, graph.scalar(0, dtype), graph.scalar(2 * removedBelow[dtype], dtype)]);
    const added = masks.map((mask) => {
      if (mask.rule !== 'additive') return choose(graph.op('Unsqueeze', [appendMask(graph, mask, at), graph.int([1, 2])]));
      const type = seen.tensor(mask.tensor)!.type;
      if (type === 'bool') return choose(mask.tensor);
      return finished(graph, mask.tensor, type === 'float16' ? 'f16' : 'f32', dtype);
    });
    const distance = window === undefined && !isCausal ? undefined : distances(graph, at, declared);
    if (window !== undefined) added.push(choose(graph.op('Less', [distance!, graph.int(window.keys)])));
    if (isCausal) added.push(choose(graph.op('GreaterOrEqual', [distance!, graph.int(0)])));
    return finished(
      graph,
      added.reduce((sum, each) => graph.op('Add', [sum, each])),
      dtype,
      dtype,
    );
  };
}
