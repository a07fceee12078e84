import type { GraphWriter, Value } from '../models/graph-writer.ts';
import { sizeOf } from '../models/torch-shapes.ts';
import type { Draw } from './draw.ts';

/** Sizes of a drawn attention. */
export interface Heads {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
}

/** What a mask comes to in a graph: each part is there or not, and broadcasts to `[batch, heads, queries, keys]`. */
export interface MaskValues {
  readonly keep?: Value | undefined;
  readonly bias?: Value | undefined;
  readonly factor?: Value | undefined;
  /** The keep as a fused operator takes padding, int32. */
  readonly keyMask?: Value | undefined;
}

/** One attention, of what was projected already: `[batch, length, heads · headDim]` → the same of the queries. */
export interface Attending extends Heads {
  readonly query: Value;
  readonly key: Value;
  readonly value: Value;
  readonly mask: MaskValues;
}

/** What an attention does to its logits beside scale and mask. */
export interface DrawnIdiom {
  /** Caps logits softly, at a number of its own. */
  readonly caps?: 'before masks' | 'after masks';
  /** Has attention sinks. */
  readonly sinks?: true;
}

export interface DrawnOperator {
  readonly text: string;
  readonly opset: number;
  /** Whether it takes fewer heads of keys and values than of queries. */
  readonly shares: boolean;
  /** Whether it is causal whatever its mask. */
  readonly causal?: boolean;
  readonly attend: (g: GraphWriter, at: Attending) => Value;
}

const split = (g: GraphWriter, x: Value, heads: number, headDim: number): Value =>
  g.op('Transpose', [g.op('Reshape', [x, g.int([0, 0, heads, headDim])])], { perm: [0, 2, 1, 3] });
const merge = (g: GraphWriter, x: Value, width: number): Value =>
  g.op('Reshape', [g.op('Transpose', [x], { perm: [0, 2, 1, 3] }), g.int([0, 0, width])]);
const lists = (g: GraphWriter, parts: readonly (Value | number)[]): Value =>
  g.op(
    'Concat',
    parts.map((part) => (typeof part === 'number' ? g.int([part]) : g.unsqueeze(part, [0]))),
    { axis: 0 },
  );

/** The softmax of products, node by node, as exporters write it. */
export function plainOperator(draw: Draw, { caps, sinks }: DrawnIdiom = {}): DrawnOperator {
  const drawnLayout = draw.pick(['four axes', 'four axes', 'heads in the batch', 'einsum'] as const);
  const layout = sinks === true && drawnLayout === 'heads in the batch' ? 'four axes' : drawnLayout;
  const scaling = draw.pick(['product', 'divided', 'query', 'both', 'none'] as const);
  const masking = draw.pick(['where', 'add', 'product'] as const);
  const low = draw.pick(masking === 'product' ? [-1e4, -3.4028234663852886e38] : [-1e4, -1e9, -3.4028234663852886e38, -Infinity]);
  const exponentials = draw.chance(0.2);
  const masked = (g: GraphWriter, logits: Value, keep: Value): Value => {
    if (masking === 'where') return g.op('Where', [keep, logits, g.float(low)]);
    if (masking === 'add') return g.op('Add', [logits, g.op('Where', [keep, g.float(0), g.float(low)])]);
    return g.op('Add', [logits, g.op('Mul', [g.op('Sub', [g.float(1), g.cast(keep, 'f32')]), g.float(low)])]);
  };
  const capped = caps === undefined ? (_: GraphWriter, logits: Value) => logits : softCap(draw);
  const softmax = (g: GraphWriter, logits: Value): Value => {
    if (!exponentials) return g.op('Softmax', [logits], { axis: -1 });
    const powers = g.op('Exp', [g.op('Sub', [logits, g.op('ReduceMax', [logits], { axes: [-1], keepdims: 1 })])]);
    return g.op('Div', [powers, g.op('ReduceSum', [powers, g.int([-1])], { keepdims: 1 })]);
  };
  const attend = (g: GraphWriter, { query, key, value, mask, heads, kvHeads, headDim }: Attending): Value => {
    const scale = 1 / Math.sqrt(headDim);
    const scaled = (x: Value, by: number) => g.op('Mul', [x, g.float(by)]);
    const [queries, keys] = [sizeOf(g, query, 1), sizeOf(g, key, 1)];
    let q = split(g, query, heads, headDim);
    let [k, v] = [key, value].map((x) => shared(g, split(g, x, kvHeads, headDim), { heads, kvHeads, headDim, length: keys })) as [
      Value,
      Value,
    ];
    if (scaling === 'query') q = scaled(q, scale);
    if (scaling === 'both') [q, k] = [scaled(q, Math.sqrt(scale)), scaled(k, Math.sqrt(scale))];
    const flat = layout === 'heads in the batch';
    if (flat)
      [q, k, v] = [[q, queries] as const, [k, keys] as const, [v, keys] as const].map(([x, n]) =>
        g.op('Reshape', [x, lists(g, [-1, n, headDim])]),
      ) as [Value, Value, Value];
    const einsum = layout === 'einsum';
    const turned = () => g.op('Transpose', [k], { perm: flat ? [0, 2, 1] : [0, 1, 3, 2] });
    let logits = einsum ? g.op('Einsum', [q, k], { equation: 'bhqd,bhkd->bhqk' }) : g.op('MatMul', [q, turned()]);
    if (scaling === 'product') logits = scaled(logits, scale);
    if (scaling === 'divided') logits = g.op('Div', [logits, g.float(Math.sqrt(headDim))]);
    if (mask.factor !== undefined) logits = g.op('Mul', [logits, mask.factor]);
    if (caps === 'before masks') logits = capped(g, logits);
    const touched = mask.keep !== undefined || mask.bias !== undefined;
    if (flat && touched) logits = g.op('Reshape', [logits, lists(g, [-1, heads, queries, keys])]);
    if (mask.bias !== undefined) logits = g.op('Add', [logits, mask.bias]);
    if (mask.keep !== undefined) logits = masked(g, logits, mask.keep);
    if (caps === 'after masks') logits = capped(g, logits);
    if (flat && touched) logits = g.op('Reshape', [logits, lists(g, [-1, queries, keys])]);
    const weights =
      sinks === true ? besideSinks(g, logits, { draw, heads, batch: sizeOf(g, query, 0), queries, softmax }) : softmax(g, logits);
    const result = einsum ? g.op('Einsum', [weights, v], { equation: 'bhqk,bhkd->bhqd' }) : g.op('MatMul', [weights, v]);
    return merge(g, flat ? g.op('Reshape', [result, lists(g, [-1, heads, queries, headDim])]) : result, heads * headDim);
  };
  const more = `${exponentials ? ', exponentials' : ''}${caps === undefined ? '' : `, capped ${caps}`}${sinks === true ? ', sinks' : ''}`;
  const text = `${layout}, scale: ${scaling}, ${masking} ${low}${more}`;
  return { text, opset: 17, shares: true, attend };
}

/** A soft cap, in one of the ways that it is written. */
function softCap(draw: Draw): (g: GraphWriter, logits: Value) => Value {
  const cap = draw.pick(caps);
  const divides = draw.chance(0.5);
  return (g, logits) => {
    const inside = divides ? g.op('Div', [logits, g.float(cap)]) : g.op('Mul', [g.float(1 / cap), logits]);
    return g.op('Mul', [g.op('Tanh', [inside]), g.float(cap)]);
  };
}

const caps = [5, 20, 50] as const;

interface SinkPlace {
  readonly draw: Draw;
  readonly heads: number;
  readonly batch: Value;
  readonly queries: Value;
  readonly softmax: (g: GraphWriter, logits: Value) => Value;
}

function drawSinks(g: GraphWriter, draw: Draw, heads: number): Value {
  return g.weight(`sinks.${draw.whole(0, 2 ** 31)}`, [heads], draw.normals(heads));
}

/** The weights of a softmax over logits and a sink for each head, without the sink's, as gpt-oss has them. */
function besideSinks(g: GraphWriter, logits: Value, { draw, heads, batch, queries, softmax }: SinkPlace): Value {
  const row = g.op('Reshape', [drawSinks(g, draw, heads), g.int([1, -1, 1, 1])]);
  const joined = g.op('Concat', [logits, g.op('Expand', [row, lists(g, [batch, heads, queries, 1])])], { axis: -1 });
  const shifted = g.op('Sub', [joined, g.op('ReduceMax', [joined], { axes: [-1], keepdims: 1 })]);
  return g.op('Slice', [softmax(g, shifted), g.int([0]), g.int([-1]), g.int([-1])]);
}

/** Heads of keys or values, each repeated for the queries that share it. */
function shared(g: GraphWriter, x: Value, { heads, kvHeads, headDim, length }: Heads & { length: Value }): Value {
  if (heads === kvHeads) return x;
  const wide = g.op('Expand', [g.unsqueeze(x, [2]), lists(g, [1, 1, heads / kvHeads, 1, 1])]);
  return g.op('Reshape', [wide, lists(g, [-1, heads, length, headDim])]);
}

/** `[1 or batch, 1 or heads, queries, keys]`, whatever broadcast to it, as the fused operators want it. */
function square(g: GraphWriter, x: Value, { query, key }: Attending): Value {
  return g.op('Expand', [x, lists(g, [1, 1, sizeOf(g, query, 1), sizeOf(g, key, 1)])]);
}

/** A float mask of all that is added to the logits; '' where nothing is. */
function additive(g: GraphWriter, at: Attending, low: number): Value {
  const { keep, bias } = at.mask;
  const dropped = keep === undefined ? undefined : g.op('Where', [keep, g.float(0), g.float(low)]);
  if (dropped === undefined) return bias === undefined ? '' : square(g, bias, at);
  return square(g, bias === undefined ? dropped : g.op('Add', [dropped, bias]), at);
}

/** These take no factor of their own: the queries are multiplied instead. */
function factored(g: GraphWriter, { query, mask: { factor } }: Attending): Value {
  return factor === undefined ? query : g.op('Mul', [query, factor]);
}

/** `Attention` of opset 23, on three axes or four, with a bool or a float mask. */
function standardOperator(draw: Draw, { caps: isCapped }: DrawnIdiom = {}): DrawnOperator {
  const three = draw.chance(0.5);
  const bools = draw.chance(0.5);
  const causal = draw.chance(0.3);
  const softcap = isCapped === undefined ? {} : { softcap: { float: draw.pick(caps) } };
  const attend = (g: GraphWriter, at: Attending): Value => {
    const { heads, kvHeads, headDim, mask } = at;
    const own = bools && mask.keep !== undefined && mask.bias === undefined ? square(g, mask.keep, at) : additive(g, at, -1e4);
    const more = own === '' ? [] : [own];
    const turned = { ...(causal && { is_causal: 1 }), ...softcap };
    if (three)
      return g.op('Attention', [factored(g, at), at.key, at.value, ...more], { q_num_heads: heads, kv_num_heads: kvHeads, ...turned });
    const parts = [split(g, factored(g, at), heads, headDim), split(g, at.key, kvHeads, headDim), split(g, at.value, kvHeads, headDim)];
    return merge(g, g.op('Attention', [...parts, ...more], turned), heads * headDim);
  };
  return {
    text: `Attention 23 on ${three ? 3 : 4} axes, ${bools ? 'bool' : 'float'} masks${causal ? ', causal' : ''}`,
    opset: 23,
    shares: true,
    causal,
    attend,
  };
}

/** ONNX Runtime's own operators. */
function contributedOperator(draw: Draw, { caps: isCapped, sinks }: DrawnIdiom = {}): DrawnOperator {
  const plain = draw.pick(['MultiHeadAttention', 'MultiHeadAttention', 'GroupQueryAttention'] as const);
  const operator = isCapped === undefined && sinks === undefined ? plain : 'GroupQueryAttention';
  const softcap = isCapped === undefined ? {} : { softcap: { float: draw.pick(caps) } };
  const causal = operator === 'GroupQueryAttention' || draw.chance(0.2);
  const attend = (g: GraphWriter, at: Attending): Value => {
    const { heads, kvHeads, mask, key, value } = at;
    const query = factored(g, at);
    if (operator === 'MultiHeadAttention') {
      const byKeys = mask.keyMask !== undefined && mask.bias === undefined;
      const masks = byKeys ? ['', mask.keyMask] : ['', '', additive(g, at, -1e4)];
      const inputs = masks.at(-1) === '' ? [] : masks;
      return g.op(operator, [query, key, value, ...inputs], { num_heads: heads, ...(causal && { unidirectional: 1 }) });
    }
    const length = sizeOf(g, key, 1);
    const last = g.op('Expand', [g.cast(g.op('Sub', [length, g.int(1)]), 'i32'), g.unsqueeze(sizeOf(g, key, 0), [0])]);
    const bias = additive(g, at, -1e4);
    const parts = bias === '' && sinks === undefined ? [] : ['', '', '', bias];
    const inputs = [
      query,
      key,
      value,
      '',
      '',
      last,
      g.cast(length, 'i32'),
      ...parts,
      ...(sinks === true ? [drawSinks(g, draw, heads)] : []),
    ];
    return g.ops(operator, inputs, 3, { num_heads: heads, kv_num_heads: kvHeads, ...softcap })[0]!;
  };
  return { text: `${operator}${causal ? ', causal' : ''}`, opset: 17, shares: operator === 'GroupQueryAttention', causal, attend };
}

/** Every operator that attention is written with, by name. */
export const operatorKinds: Readonly<Record<string, (draw: Draw, idiom?: DrawnIdiom) => DrawnOperator>> = {
  plain: plainOperator,
  'standard operator': standardOperator,
  'contributed operator': contributedOperator,
};
