import { size } from './architecture.ts';
import { torchScript } from './exporters.ts';
import { GraphWriter } from './graph-writer.ts';
import type { Value } from './graph-writer.ts';
import { linear } from './layers.ts';
import { mergeHeads, sizeOf, splitHeads } from './torch-shapes.ts';
import { affine } from './weights.ts';

/** One attention whose answer depends on something that short runs do not show. */
export interface UnseenCause {
  /** What it does to its scaled logits. */
  readonly logits?: (g: GraphWriter, logits: Value, x: Value) => Value;
  /** What it does to its weights. */
  readonly weights?: (g: GraphWriter, weights: Value, x: Value) => Value;
  /** Part of the reason for which it is refused; absent where it is handed over as a bias. */
  readonly reason?: RegExp;
}

/** The model of such an attention: `x` → `y`, `[batch, sequence, hidden]`. */
export function buildUnseen({ logits: change = (_, logits) => logits, weights: weigh = (_, weights) => weights }: UnseenCause): Uint8Array {
  const { heads, headDim, hidden } = size;
  const g = new GraphWriter(torchScript(14));
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

const length = (g: GraphWriter, x: Value): Value => g.cast(sizeOf(g, x, 1), 'f32');

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
  'a float mask that weighs keys': {
    logits: (g, logits) => {
      const kept = g.unsqueeze(g.unsqueeze(g.input('attention_mask', 'f32', ['batch', 'sequence']), [1]), [2]);
      return g.op('Add', [logits, g.op('Mul', [g.op('Sub', [g.float(1), kept]), g.float(-10_000)])]);
    },
  },
};
