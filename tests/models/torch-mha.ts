import { architecture, expectedSites, size } from './architecture.ts';
import { torchScript } from './exporters.ts';
import type { GraphWriter, Value } from './graph-writer.ts';
import { linear } from './layers.ts';
import { tensorProto } from './protos.ts';
import { expandByView, shapeOf, sizeOf } from './torch-shapes.ts';
import { buildTransformer } from './transformer.ts';
import type { AttentionPlace } from './transformer.ts';
import { joined } from './weights.ts';

export { feeds } from './bmm-3d.ts';

/** PyTorch's `nn.MultiheadAttention`: fused projections viewed on five axes, folded heads, and a float mask that is folded with them. */
export const design = architecture({ input: 'states' });
export const expected = expectedSites(design);

export function build({ seed = 0 }: { seed?: number } = {}): Uint8Array {
  return buildTransformer({ exporter: torchScript(14), architecture: design, prepare, attend }, seed);
}

/** `[batch · heads, 1, keys]`: −∞ at padded keys. */
function prepare(g: GraphWriter): Value {
  const given = g.input('key_padding_mask', 'bool', ['batch', 'sequence']);
  const zeros = g.op('ConstantOfShape', [g.op('Shape', [given])], { value: { tensor: tensorProto('', 'f32', [1], [0]) } });
  const bias = g.op('Where', [given, g.float(-Infinity), zeros]);
  const [batch, keys] = [sizeOf(g, given, 0), sizeOf(g, given, 1)];
  const four = g.op('Reshape', [bias, shapeOf(g, [batch, 1, 1, keys])], { allowzero: 0 });
  const expanded = expandByView(g, four, g.int([-1, size.heads, -1, -1]));
  return g.op('Reshape', [expanded, shapeOf(g, [g.op('Mul', [batch, g.int(size.heads)]), 1, keys])], { allowzero: 0 });
}

function attend(g: GraphWriter, { hidden, weights, shared }: AttentionPlace<Value>): Value {
  const { heads, headDim, hidden: width } = size;
  const states = g.op('Transpose', [hidden], { perm: [1, 0, 2] });
  const [length, batch] = [sizeOf(g, states, 0), sizeOf(g, states, 1)];
  const folded = g.op('Mul', [batch, g.int(heads)]);
  const fused = linear(g, states, joined(`${weights.name}.in_proj`, [weights.query, weights.key, weights.value]));
  const four = g.op('Reshape', [fused, shapeOf(g, [length, batch, 3, width])], { allowzero: 0 });
  const five = g.op('Transpose', [g.unsqueeze(four, [0])], { perm: [3, 1, 2, 0, 4] });
  const parts = g.squeeze(five, [3]);
  const [query, key, value] = [0, 1, 2].map((part) =>
    g.op('Reshape', [g.op('Gather', [parts, g.int(part)], { axis: 0 }), shapeOf(g, [length, folded, headDim])], { allowzero: 0 }),
  ) as [Value, Value, Value];
  const scaled = g.op('Mul', [g.op('Transpose', [query], { perm: [1, 0, 2] }), g.float(headDim ** -0.5)]);
  const product = g.op('MatMul', [scaled, g.op('Transpose', [key], { perm: [1, 2, 0] })]);
  // baddbmm's alpha and beta.
  const logits = g.op('Add', [g.op('Mul', [product, g.float(1)]), g.op('Mul', [shared, g.float(1)])]);
  const softmax = g.op('Softmax', [logits], { axis: -1 });
  const attended = g.op('MatMul', [softmax, g.op('Transpose', [value], { perm: [1, 0, 2] })]);
  const turned = g.op('Transpose', [attended], { perm: [1, 0, 2] });
  const joint = g.op('Reshape', [turned, shapeOf(g, [length, batch, width])], { allowzero: 0 });
  return g.op('Transpose', [linear(g, joint, weights.output)], { perm: [1, 0, 2] });
}
