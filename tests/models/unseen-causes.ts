import { size } from './architecture.ts';
import { torchScript } from './exporters.ts';
import { GraphWriter } from './graph-writer.ts';
import type { Value } from './graph-writer.ts';
import { linear } from './layers.ts';
import { leastFloat, mergeHeads, sizeOf, splitHeads } from './torch-shapes.ts';
import { affine } from './weights.ts';

/** One attention whose answer depends on something that short runs do not show. */
export interface UnseenCause {
  /** What it does to its scaled logits. */
  readonly logits?: (g: GraphWriter, logits: Value, x: Value) => Value;
  /** What it does to its weights. */
  readonly weights?: (g: GraphWriter, weights: Value, x: Value) => Value;
  /** Part of the reason for which it is refused; absent where the model's own bias is handed over. */
  readonly reason?: RegExp;
}

/** The model of such an attention: `x` → `y`, `[batch, sequence, hidden]`. */
export function buildUnseen(
  { logits: change = (_, logits) => logits, weights: weigh = (_, weights) => weights }: UnseenCause,
  exporter = torchScript(14),
): Uint8Array {
  const { heads, headDim, hidden } = size;
  const g = new GraphWriter(exporter);
  const x = g.input('x', 'f32', ['batch', 'sequence', hidden]);
  const project = (name: string) => linear(g, x, affine(0, name, hidden, heads * headDim));
  const query = splitHeads(g, project('query'), heads);
  const key = splitHeads(g, project('key'), heads, [0, 2, 3, 1]);
  const value = splitHeads(g, project('value'), heads);
  const scaled = g.op('Div', [g.op('MatMul', [query, key]), g.float(Math.sqrt(headDim))]);
  const weights = g.op('Softmax', [change(g, scaled, x)], { axis: -1 });
  g.output('y', mergeHeads(g, g.op('MatMul', [weigh(g, weights, x), value])), 'f32', ['batch', 'sequence', heads * headDim]);
  return g.bytes();
}

/** `row − column` of every pair, i64. */
function distances(g: GraphWriter, x: Value): Value {
  const places = g.op('Range', [g.int(0), sizeOf(g, x, 1), g.int(1)]);
  return g.op('Sub', [g.unsqueeze(places, [1]), g.unsqueeze(places, [0])]);
}

/** Masks every later key where a condition holds. */
export function causalWhere(g: GraphWriter, logits: Value, x: Value, condition: Value): Value {
  const isLater = g.op('Less', [distances(g, x), g.int(0)]);
  return g.op('Where', [g.op('And', [isLater, condition]), g.float(leastFloat), logits]);
}

const length = (g: GraphWriter, x: Value): Value => g.cast(sizeOf(g, x, 1), 'f32');
const rows = (g: GraphWriter, x: Value): Value => g.unsqueeze(g.op('Range', [g.int(0), sizeOf(g, x, 1), g.int(1)]), [1]);
/** `[batch, keys]` → `[batch, 1, 1, keys]` */
const overKeys = (g: GraphWriter, x: Value): Value => g.unsqueeze(x, [1, 2]);
const wholes = (g: GraphWriter, name: string): Value => g.input(name, 'i64', ['batch', 'sequence']);
const floats = (g: GraphWriter, name: string): Value => g.input(name, 'f32', ['batch', 'sequence']);

/** All of them by what is not seen. */
export const unseenCauses: Readonly<Record<string, UnseenCause>> = {
  'a scale that grows with the logarithm of a long length': {
    logits: (g, logits, x) => {
      const growth = g.op('Div', [g.op('Log', [length(g, x)]), g.float(Math.log(8900))]);
      return g.op('Mul', [logits, g.op('Max', [g.float(1), growth])]);
    },
    reason: /its scale is computed from a size of x that is not its head dimension/,
  },
  'a scale chosen by a long length': {
    logits: (g, logits, x) => {
      const factor = g.op('Where', [g.op('Greater', [length(g, x), g.float(4500.5)]), g.float(2), g.float(1)]);
      return g.op('Mul', [logits, factor]);
    },
    reason: /its scale is computed from Where/,
  },
  'a scale switched off by a long length': {
    logits: (g, logits, x) => g.op('Mul', [logits, g.cast(g.op('Less', [length(g, x), g.float(9500)]), 'f32')]),
    reason: /its scale is switched by/,
  },
  'a float mask that weighs keys': {
    logits: (g, logits) => {
      const kept = g.unsqueeze(g.unsqueeze(g.input('attention_mask', 'f32', ['batch', 'sequence']), [1]), [2]);
      return g.op('Add', [logits, g.op('Mul', [g.op('Sub', [g.float(1), kept]), g.float(-10_000)])]);
    },
  },
  'a window behind the softmax': {
    weights: (g, weights, x) => g.op('Where', [g.op('Less', [distances(g, x), g.int(40)]), weights, g.float(0)]),
    reason: /its weights (are changed after the softmax|pass through Where)/,
  },
  'a guard against NaN that an input turns on elsewhere': {
    weights: (g, weights) => {
      const dropped = overKeys(g, g.input('dropped', 'bool', ['batch', 'sequence']));
      return g.op('Where', [g.op('Or', [g.op('IsNaN', [weights]), dropped]), g.float(0), weights]);
    },
    reason: /its weights (are changed after the softmax|pass through Where)/,
  },
  'weights of what is NaN in an input': {
    weights: (g, weights) => g.op('Where', [overKeys(g, g.op('IsNaN', [floats(g, 'series')])), g.float(0), weights]),
    reason: /its weights pass through Where/,
  },
  'a clip beyond the products of ±1000': {
    logits: (g, logits) => g.op('Clip', [logits, g.float(-400), g.float(400)]),
    reason: /capped or clipped/,
  },
  'a bound below all drawn logits': { logits: (g, logits) => g.op('Max', [logits, g.float(-700)]), reason: /capped or clipped/ },
  'a row that is not causal, between those that long runs read': {
    logits: (g, logits, x) => causalWhere(g, logits, x, g.op('Not', [g.op('Equal', [rows(g, x), g.int(101)])])),
  },
  'a window beyond all runs': {
    logits: (g, logits, x) => {
      const [later, far] = [g.op('Less', [distances(g, x), g.int(0)]), g.op('GreaterOrEqual', [distances(g, x), g.int(65_536)])];
      return g.op('Where', [g.op('Or', [later, far]), g.float(leastFloat), logits]);
    },
  },
  'padding, and a bias of a rare kind of token': {
    logits: (g, logits) => {
      const table = Float32Array.from({ length: 64 }, (_, kind) => (kind === 0 ? -1e4 : kind === 37 ? -3 : 0));
      return g.op('Add', [logits, overKeys(g, g.op('Gather', [g.weight('kinds.bias', [64], table), wholes(g, 'kinds')]))]);
    },
  },
  'padding, and a bias of numbers that are not drawn': {
    logits: (g, logits) => {
      const energy = floats(g, 'energy');
      const padded = g.op('Where', [g.op('Equal', [energy, g.float(0)]), g.float(-1e9), g.float(0)]);
      const loud = g.op('Where', [g.op('Greater', [energy, g.float(500)]), g.float(-4), g.float(0)]);
      return g.op('Add', [logits, overKeys(g, g.op('Add', [padded, loud]))]);
    },
  },
  'what takes the place of masked logits grows with the length': {
    logits: (g, logits, x) => {
      const low = g.op('Div', [g.float(-20_000), length(g, x)]);
      const masked = g.op('Where', [g.op('Less', [distances(g, x), g.int(0)]), low, logits]);
      return g.op('Add', [masked, g.op('Mul', [g.cast(distances(g, x), 'f32'), g.float(0.3)])]);
    },
    reason: /puts in the place of logits may change|puts numbers in the place of logits/,
  },
  'causality that begins with a loud state: only a size tells': {
    logits: (g, logits, x) => {
      const loud = g.op('NonZero', [g.op('Greater', [x, g.float(1000)])]);
      return causalWhere(g, logits, x, g.op('Greater', [sizeOf(g, loud, 1), g.int(0)]));
    },
  },
  'causality that begins with a batch of 17': {
    logits: (g, logits, x) => causalWhere(g, logits, x, g.op('Greater', [sizeOf(g, x, 0), g.int(16)])),
  },
  'padding by lengths, and causality beyond a length that no run has': {
    logits: (g, logits, x) => {
      const lengths = g.unsqueeze(g.input('lengths', 'i64', ['batch']), [1, 2, 3]);
      const places = g.op('Range', [g.int(0), sizeOf(g, x, 1), g.int(1)]);
      const padded = g.op('Where', [g.op('Less', [places, lengths]), logits, g.float(leastFloat)]);
      return causalWhere(g, padded, x, g.op('Greater', [lengths, g.int(9000)]));
    },
  },
};
