import type { Tensors } from '../../src/contract/tensor.ts';
import { tensorOf } from '../../src/inputs/model-inputs.ts';
import { architecture, expectedSites, size } from './architecture.ts';
import { torchScript } from './exporters.ts';
import type { GraphWriter, Value } from './graph-writer.ts';
import { linear } from './layers.ts';
import { drawStates, keptPositions } from './sequences.ts';
import type { FeedRequest } from './sequences.ts';
import { shapeOf, sizeOf } from './torch-shapes.ts';
import { buildTransformer } from './transformer.ts';
import type { AttentionPlace } from './transformer.ts';

/** fairseq's attention: heads folded into the batch axis, `[batch · heads, length, headDim]`, and unfolded for the mask alone. */
export const design = architecture({ input: 'states' });
export const expected = expectedSites(design);

export function build({ seed = 0 }: { seed?: number } = {}): Uint8Array {
  return buildTransformer({ exporter: torchScript(14), architecture: design, prepare, attend }, seed);
}

/** `x`, f32 `[batch, length, hidden]`, and `key_padding_mask`, bool `[batch, length]`, true at padded keys. */
export function feeds(at: FeedRequest): Tensors {
  const padded = keptPositions(at).flatMap((row) => row.map((kept) => (kept ? 0 : 1)));
  return { x: drawStates(at), key_padding_mask: tensorOf('bool', [at.batch, at.length], padded) };
}

/** `[batch, 1, 1, keys]`, true at padded keys. */
function prepare(g: GraphWriter): Value {
  return g.unsqueeze(g.unsqueeze(g.input('key_padding_mask', 'bool', ['batch', 'sequence']), [1]), [2]);
}

function attend(g: GraphWriter, { hidden, weights, shared }: AttentionPlace<Value>): Value {
  const { heads, headDim } = size;
  const states = g.op('Transpose', [hidden], { perm: [1, 0, 2] });
  const [length, batch] = [sizeOf(g, states, 0), sizeOf(g, states, 1)];
  const folded = g.op('Mul', [batch, g.int(heads)]);
  const fold = (x: Value): Value => {
    const three = g.op('Reshape', [x, shapeOf(g, [length, folded, headDim])], { allowzero: 0 });
    return g.op('Transpose', [three], { perm: [1, 0, 2] });
  };
  const query = fold(g.op('Mul', [linear(g, states, weights.query), g.float(headDim ** -0.5)]));
  const key = fold(linear(g, states, weights.key));
  const value = fold(linear(g, states, weights.value));
  const logits = g.op('MatMul', [query, g.op('Transpose', [key], { perm: [0, 2, 1] })]);
  const unfolded = g.op('Reshape', [logits, shapeOf(g, [batch, heads, length, length])], { allowzero: 0 });
  const masked = g.op('Where', [shared, g.float(-Infinity), unfolded]);
  const refolded = g.op('Reshape', [masked, shapeOf(g, [folded, length, length])], { allowzero: 0 });
  const attended = g.op('MatMul', [g.op('Softmax', [refolded], { axis: -1 }), value]);
  const turned = g.op('Transpose', [attended], { perm: [1, 0, 2] });
  const joint = g.op('Reshape', [turned, shapeOf(g, [length, batch, size.hidden])], { allowzero: 0 });
  return g.op('Transpose', [linear(g, joint, weights.output)], { perm: [1, 0, 2] });
}
