import type { Tensors } from '../../src/contract/tensor.ts';
import { size } from './architecture.ts';
import type { Expected } from './architecture.ts';
import { torchScript } from './exporters.ts';
import { GraphWriter } from './graph-writer.ts';
import type { Value } from './graph-writer.ts';
import { linear } from './layers.ts';
import { drawStates } from './sequences.ts';
import type { FeedRequest } from './sequences.ts';
import { affine, drawn } from './weights.ts';

/** Softmaxes that are no attention: a gate that mixes constant experts by a matrix product, and a classifier's. Outputs `probabilities` `[batch, 5]`. */
export const expected: Expected = { sites: [], unknown: ['/gate/Softmax_2', '/classifier/Softmax_11'] };

export function build({ seed = 0 }: { seed?: number } = {}): Uint8Array {
  const g = new GraphWriter(torchScript(14));
  const x = g.input('x', 'f32', ['batch', 'sequence', size.hidden]);
  g.scope = '/gate';
  const mixed = mixExperts(g, x, seed);
  g.scope = '/classifier';
  const pooled = g.op('ReduceMean', [g.op('Add', [mixed, x])], { axes: [1], keepdims: 0 });
  const logits = linear(
    g,
    g.op('Relu', [linear(g, pooled, affine(seed, 'classifier.0', size.hidden, size.inner))]),
    affine(seed, 'classifier.2', size.inner, 5),
  );
  g.output('probabilities', g.op('Softmax', [logits], { axis: -1 }), 'f32', ['batch', 5]);
  return g.bytes();
}

/** softmax(x·gate)·experts, the experts a constant `[8, hidden]`. */
function mixExperts(g: GraphWriter, x: Value, seed: number): Value {
  const shares = g.op('Softmax', [linear(g, x, affine(seed, 'gate', size.hidden, 8))], { axis: -1 });
  const experts = g.weight('experts', [8, size.hidden], drawn(seed, 'experts', 8 * size.hidden, 1), { use: 'MatMul' });
  return g.op('MatMul', [shares, experts]);
}

/** `x`, f32 `[batch, length, hidden]`. There is no padding: all sequences are as long. */
export function feeds(at: FeedRequest): Tensors {
  return { x: drawStates({ ...at, padded: false }) };
}
