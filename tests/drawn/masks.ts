import type { GraphWriter, Value } from '../models/graph-writer.ts';
import { Draw, inputTensor } from './draw.ts';
import type { Feeds, InputType } from './draw.ts';

/** What a mask may be computed from. */
export interface Place {
  /** Names of the model's dynamic dimensions. */
  readonly names: { readonly batch: string; readonly queries: string; readonly keys: string };
  /** Lengths, int64 scalars. */
  readonly queries: Value;
  readonly keys: Value;
  readonly heads: number;
  /** Token ids of the keys, int64 `[batch, keys]`, where the model takes any. */
  readonly tokens?: Value | undefined;
}

type Write = (g: GraphWriter, place: Place) => Value;

/** One drawn mask: how a graph computes it, and inputs on which it matters. No row of any run is left without a key. */
export interface DrawnMask {
  readonly text: string;
  /** The largest whole number that it depends on: a longer run shows all of it. */
  readonly reach?: number;
  /** Bool, broadcasts to `[batch, heads, queries, keys]`: which keys a query sees. */
  readonly keep?: Write;
  /** Is added to the logits; broadcasts likewise. */
  readonly bias?: Write;
  /** Scalar, multiplies the logits. */
  readonly factor?: Write;
  /** As the fused operators take padding: int32, `[batch, keys]` or `[batch]`. */
  readonly keyMask?: Write;
  readonly feeds?: Feeds;
  /** Token ids that mean something to it, if it reads ids. */
  readonly ids?: (run: Draw, at: { row: number; key: number }) => number;
}

const range = (g: GraphWriter, size: Value): Value => g.op('Range', [g.int(0), size, g.int(1)]);
const row = (g: GraphWriter, { queries }: Place): Value => g.unsqueeze(range(g, queries), [1]);
const column = (g: GraphWriter, { keys }: Place): Value => g.unsqueeze(range(g, keys), [0]);
/** query − key. */
const gap = (g: GraphWriter, place: Place): Value => g.op('Sub', [row(g, place), column(g, place)]);
const distance = (g: GraphWriter, place: Place): Value => g.op('Abs', [gap(g, place)]);
const causal: Write = (g, place) => g.op('LessOrEqual', [column(g, place), row(g, place)]);
/** `[batch, keys]` → `[batch, queries, keys]`: a comparison of each pair of tokens. */
const pairwise = (g: GraphWriter, operator: string, of: Value): Value =>
  g.unsqueeze(g.op(operator, [g.unsqueeze(of, [2]), g.unsqueeze(of, [1])]), [1]);

/** A kept pair as an input of the given type and polarity holds it, and back as a bool. */
function inputForm(draw: Draw) {
  const type = draw.pick<InputType>(['bool', 'bool', 'i64', 'i32', 'u8', 'f32']);
  const keeps = draw.chance(0.6);
  const asBool: (g: GraphWriter, input: Value) => Value = (g, input) => {
    const bool = type === 'bool' ? input : type === 'f32' ? g.op('Greater', [input, g.float(0.5)]) : g.cast(input, 'bool');
    return keeps ? bool : g.op('Not', [bool]);
  };
  return { type, asBool, valueOf: (kept: boolean) => Number(kept === keeps), text: `${type}, 1 ${keeps ? 'keeps' : 'masks'}` };
}

const names = ['attention_mask', 'mask', 'm', 'valid', 'input_3', 'keep', 'src_padding', 'x_mask', 'onnx::Not_7', 'flags'];

/** Padding as an input with a value a key. Any key but the first may be dropped, or those at an end. */
function padding(draw: Draw): DrawnMask {
  const [name, form] = [draw.pick(names), inputForm(draw)];
  const middle = draw.pick([[1, 2], [1], []]);
  const axes = (batch: string, keys: string) =>
    middle.length === 2 ? [batch, keys] : middle.length === 1 ? [batch, 1, keys] : [batch, 1, 1, keys];
  const input = (g: GraphWriter, { names: { batch, keys } }: Place) => g.input(name, form.type, axes(batch, keys));
  return {
    text: `padding by ${name} (${form.text}, ${4 - middle.length} axes)`,
    keep: (g, place) => {
      const bool = form.asBool(g, input(g, place));
      return middle.length === 0 ? bool : g.unsqueeze(bool, middle.length === 2 ? [1, 2] : [1]);
    },
    ...(form.type === 'i32' && form.valueOf(true) === 1 && middle.length === 2 && { keyMask: input }),
    feeds: ({ batch, keys, number, seed }) => {
      const run = new Draw(seed, name);
      const cuts = Array.from({ length: batch }, () => run.whole(1, keys + 1));
      const kept = (item: number, key: number): boolean =>
        key === 0 || number % 4 === 0 || (number % 4 === 1 ? key < cuts[item]! : number % 4 === 2 ? key >= cuts[item]! : run.chance(0.6));
      const dims = middle.length === 2 ? [batch, keys] : middle.length === 1 ? [batch, 1, keys] : [batch, 1, 1, keys];
      return { [name]: inputTensor(form.type, dims, (at) => form.valueOf(kept(Math.floor(at / keys), at % keys))) };
    },
  };
}

/** A mask of pairs as an input, with or without a batch and heads. */
function pairs(draw: Draw): DrawnMask {
  const [name, form] = [draw.pick(names), inputForm(draw)];
  const lead = draw.pick(['batch, 1', 'batch', '', '1, 1', 'batch, heads', '1, heads'] as const);
  const sizes = (batch: string | number, heads: number) =>
    lead
      .split(', ')
      .filter(Boolean)
      .map((part) => (part === 'batch' ? batch : part === 'heads' ? heads : 1));
  let heads = 1;
  return {
    text: `pairs by ${name} [${lead && `${lead}, `}queries, keys] (${form.text})`,
    keep: (g, place) => {
      heads = place.heads;
      const { batch, queries, keys } = place.names;
      const bool = form.asBool(g, g.input(name, form.type, [...sizes(batch, heads), queries, keys]));
      return lead === 'batch' ? g.unsqueeze(bool, [1]) : bool;
    },
    feeds: ({ batch, queries, keys, seed }) => {
      const run = new Draw(seed, name);
      const dims = [...(sizes(batch, heads) as number[]), queries, keys];
      return { [name]: inputTensor(form.type, dims, (at) => form.valueOf(at % keys === 0 || run.chance(0.5))) };
    },
  };
}

/** Padding as a number of keys for each item. */
function lengths(draw: Draw): DrawnMask {
  const name = draw.pick(['length', 'input_lengths', 'lens', 'n', 'audio_len', 'x1', 'valid_length']);
  const type = draw.pick<InputType>(['i64', 'i32', 'f32']);
  const input = (g: GraphWriter, { names: { batch } }: Place) => g.input(name, type, [batch]);
  return {
    text: `padding by lengths, ${name} (${type})`,
    keep: (g, place) => {
      const own = type === 'i64' ? column(g, place) : g.cast(column(g, place), type);
      return g.unsqueeze(g.op('Less', [own, g.unsqueeze(input(g, place), [1])]), [1, 2]);
    },
    ...(type === 'i32' && { keyMask: input }),
    feeds: ({ batch, keys, number, seed }) => {
      const run = new Draw(seed, name);
      return { [name]: inputTensor(type, [batch], () => (number % 4 === 0 ? keys : run.whole(1, keys + 1))) };
    },
  };
}

/** Padding as ids: equal to one, or beyond one. */
function ids(draw: Draw): DrawnMask {
  const pad = draw.pick([0, 1, 2, 3, 49, 50256, -100]);
  const rule = draw.pick(['Equal', 'Less', 'Greater'] as const);
  const beyond = rule === 'Less' ? pad - 1 : rule === 'Greater' ? pad + 1 : pad;
  return {
    text: `padding by ids (${rule} ${pad})`,
    keep: (g, { tokens = '' }) => g.unsqueeze(g.op('Not', [g.op(rule, [tokens, g.int(pad)])]), [1, 2]),
    ids: (run, { key }) => {
      if (key > 0 && run.chance(0.4)) return beyond;
      return rule === 'Greater' ? pad - run.whole(0, 40) : Math.max(pad, 3) + run.whole(1, 40);
    },
  };
}

/** Tokens of the same kind, or a prefix that all see. */
function types(draw: Draw): DrawnMask {
  const name = draw.pick(['token_type_ids', 'segments', 'modality']);
  const rule = draw.pick(['same', 'prefix'] as const);
  const input = (g: GraphWriter, { names: { batch, keys } }: Place) => g.input(name, 'i64', [batch, keys]);
  return {
    text: `${rule} by types, ${name}`,
    keep: (g, place) => {
      const own = input(g, place);
      if (rule === 'same') return pairwise(g, 'Equal', own);
      return g.op('Or', [causal(g, place), g.unsqueeze(g.op('Equal', [own, g.int(0)]), [1, 2])]);
    },
    feeds: ({ batch, keys, number, seed }) => {
      const run = new Draw(seed, name);
      return { [name]: inputTensor('i64', [batch, keys], () => (number % 4 === 0 ? 0 : run.whole(0, 3))) };
    },
  };
}

/** Several documents in one sequence: positions begin again at zero. */
function packed(draw: Draw): DrawnMask {
  const name = draw.pick(['position_ids', 'positions', 'pos']);
  return {
    text: `documents by ${name}`,
    keep: (g, { names: { batch, keys } }) => {
      const starts = g.cast(g.op('Equal', [g.input(name, 'i64', [batch, keys]), g.int(0)]), 'i64');
      return pairwise(g, 'Equal', g.op('CumSum', [starts, g.int(1)]));
    },
    feeds: ({ batch, keys, number, seed }) => {
      const run = new Draw(seed, name);
      let at = -1;
      return {
        [name]: inputTensor(
          'i64',
          [batch, keys],
          (place) => (at = place % keys === 0 || (number % 4 > 0 && run.chance(0.15)) ? 0 : at + 1),
        ),
      };
    },
  };
}

const sizes = [3, 8, 20, 64, 130, 300];

/** What sees what by the distance alone. */
function local(draw: Draw): DrawnMask {
  const reach = draw.pick(sizes);
  const kind = draw.pick(['window', 'band', 'chunk', 'dilated', 'stored'] as const);
  const within: Record<typeof kind, Write> = {
    window: (g, place) => g.op('LessOrEqual', [distance(g, place), g.int(reach)]),
    band: (g, place) => g.op('And', [causal(g, place), g.op('Less', [gap(g, place), g.int(reach)])]),
    chunk: (g, place) => g.op('Equal', [g.op('Div', [row(g, place), g.int(reach)]), g.op('Div', [column(g, place), g.int(reach)])]),
    dilated: (g, place) =>
      g.op('Or', [
        g.op('Less', [distance(g, place), g.int(reach)]),
        g.op('Equal', [g.op('Mod', [distance(g, place), g.int(4)]), g.int(0)]),
      ]),
    stored: (g, place) => {
      const side = reach + 100;
      const kept = Uint8Array.from({ length: side * side }, (_, at) => Number(Math.abs(Math.floor(at / side) - (at % side)) <= reach));
      const end = (size: Value) => g.unsqueeze(size, [0]);
      const rows = g.op('Slice', [g.weight('mask', [side, side], kept, { type: 'bool' }), g.int([0]), end(place.queries), g.int([0])]);
      return g.op('Slice', [rows, g.int([0]), end(place.keys), g.int([1])]);
    },
  };
  return { text: `${kind} of ${reach}`, reach, keep: within[kind] };
}

/** What is added to the logits, or multiplies them. */
function shaped(draw: Draw): DrawnMask {
  const reach = draw.pick(sizes);
  const kind = draw.pick(['slope', 'input', 'soft', 'scale'] as const);
  const distances: Write = (g, place) => g.cast(distance(g, place), 'f32');
  const values = (dims: readonly number[], seed: number, name: string) => {
    const run = new Draw(seed, name).normals(dims.reduce((product, size) => product * size, 1));
    return inputTensor('f32', dims, (at) => run[at]!);
  };
  switch (kind) {
    case 'slope':
      return {
        text: `bias beyond a distance of ${reach}`,
        reach,
        bias: (g, place) => g.op('Mul', [g.op('Relu', [g.op('Sub', [distances(g, place), g.float(reach)])]), g.float(-0.2)]),
      };
    case 'input':
      return {
        text: 'bias by an input',
        bias: (g, { names: { queries, keys } }) => g.input('bias', 'f32', [1, 1, queries, keys]),
        feeds: ({ queries, keys, seed }) => ({ bias: values([1, 1, queries, keys], seed, 'bias') }),
      };
    case 'soft':
      return {
        text: 'soft weights of keys by an input',
        bias: (g, { names: { batch, keys } }) => g.unsqueeze(g.input('weights', 'f32', [batch, keys]), [1, 2]),
        feeds: ({ batch, keys, seed }) => ({ weights: values([batch, keys], seed, 'weights') }),
      };
    case 'scale':
      return {
        text: `a scale that grows beyond ${reach} keys`,
        reach,
        factor: (g, { keys }) => g.op('Max', [g.float(1), g.op('Div', [g.cast(keys, 'f32'), g.float(reach)])]),
      };
  }
}

/** Causality or locality that an input turns on, for all or for each head. */
function switched(draw: Draw): DrawnMask {
  const type = draw.pick<InputType>(['bool', 'i64', 'f32']);
  const each = draw.chance(0.4);
  const name = each ? 'local_heads' : draw.pick(['is_causal', 'streaming', 'mode']);
  const asBool = (g: GraphWriter, input: Value) => (type === 'bool' ? input : g.op('Greater', [input, g.constant(type, 0)]));
  let count = 1;
  return {
    text: `causality switched by ${name} (${type})`,
    keep: (g, place) => {
      count = each ? place.heads : 1;
      const off = g.op('Not', [asBool(g, g.input(name, type, each ? [1, count, 1, 1] : [1]))]);
      return g.op('Or', [off, causal(g, place)]);
    },
    feeds: ({ number, seed }) => {
      const run = new Draw(seed, name);
      return { [name]: inputTensor(type, each ? [1, count, 1, 1] : [1], () => (each ? Number(run.chance(0.5)) : number % 2)) };
    },
  };
}

/** Every kind of mask, by name. */
export const maskKinds: Readonly<Record<string, (draw: Draw) => DrawnMask>> = {
  none: () => ({ text: 'no mask' }),
  causal: () => ({ text: 'causal', keep: causal }),
  padding,
  pairs,
  lengths,
  ids,
  types,
  packed,
  local,
  shaped,
  switched,
};

/** Both masks at once. */
export function both(first: DrawnMask, second: DrawnMask): DrawnMask {
  const { keep: a, ...rest } = first;
  const { keep: b } = second;
  const keep: Write | undefined = a !== undefined && b !== undefined ? (g, place) => g.op('And', [a(g, place), b(g, place)]) : (a ?? b);
  const { keyMask: _, ...own } = rest;
  return { ...own, text: `${first.text} and ${second.text}`, ...(keep !== undefined && { keep }) };
}
