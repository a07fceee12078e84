import { architecture, expectedSites, plainLayer, size } from './architecture.ts';
import { linear } from './dynamo.ts';
import { dynamo } from './exporters.ts';
import { rotaryTables, rotate } from './gqa-repeat.ts';
import type { RotaryTables } from './gqa-repeat.ts';
import type { GraphWriter, Value } from './graph-writer.ts';
import { leastFloat } from './torch-shapes.ts';
import { buildTransformer } from './transformer.ts';
import type { AttentionPlace } from './transformer.ts';
import type { Affine } from './weights.ts';

export { feeds } from './dynamo.ts';

/**
 * Llama of transformers 5 through `torch.onnx.export(…, dynamo=True)`: the padding mask is looked up by `GatherND` at
 * (sequence, key), joined with key ≤ query; heads are counted by −1 in a reshape. Outputs `logits`.
 */
const layer = { ...plainLayer, kvHeads: 2, causal: true };
export const design = architecture({
  layers: [layer, layer],
  norm: 'rms',
  normPlace: 'before',
  activation: 'silu',
  rotary: true,
  head: true,
});
export const expected = expectedSites(design);

interface Shared extends RotaryTables {
  /** `[batch, 1, queries, keys]`, zeros and least floats. */
  readonly bias: Value;
  readonly batch: Value;
  readonly length: Value;
}

export function build({ seed = 0 }: { seed?: number } = {}): Uint8Array {
  return buildTransformer({ exporter: dynamo(18), architecture: design, prepare, attend, linear }, seed);
}

function prepare(g: GraphWriter, input: Value): Shared {
  const given = g.input('attention_mask', 'i64', ['batch', 'sequence']);
  const batch = g.op('Shape', [input], { start: 0, end: 1 });
  const length = g.op('Shape', [given], { start: 1, end: 2 });
  const count = (size: Value): Value => g.op('Range', [g.int(0), g.op('Squeeze', [size]), g.int(1)]);
  const rows = g.unsqueeze(g.unsqueeze(count(batch), [1, 2]), [3]);
  const positions = g.unsqueeze(count(length), [0, 1]);
  const keys = g.unsqueeze(positions, [2]);
  const earlier = g.op('LessOrEqual', [keys, g.unsqueeze(positions, [3])]);
  const allowed = g.op('And', [g.constant('bool', 1), earlier]);
  const common = g.op('Shape', [g.op('Max', [rows, keys])], { start: 0 });
  const places = [rows, keys].map((index) => g.unsqueeze(g.op('Expand', [index, common]), [-1]));
  const kept = g.op('GatherND', [g.cast(given, 'bool'), g.op('Concat', places, { axis: -1 })], { batch_dims: 0 });
  const bias = g.op('Where', [g.op('And', [allowed, kept]), g.float(0), g.float(leastFloat)]);
  return { bias, batch, length, ...rotaryTables(g, g.op('Squeeze', [length])) };
}

function attend(g: GraphWriter, { hidden, weights, plan, shared }: AttentionPlace<Shared>): Value {
  const sizes = (...last: number[]): Value =>
    g.op('Concat', [shared.batch, shared.length, ...last.map((each) => g.int([each]))], { axis: 0 });
  const heads = (affine: Affine): Value =>
    g.op('Transpose', [g.op('Reshape', [linear(g, hidden, affine), sizes(-1, size.headDim)], { allowzero: 1 })], { perm: [0, 2, 1, 3] });
  const repeat = (x: Value): Value => {
    const parts = (...front: number[]) =>
      g.op('Concat', [shared.batch, ...front.map((each) => g.int([each])), shared.length, g.int([size.headDim])], { axis: 0 });
    const five = g.op('Expand', [g.unsqueeze(x, [2]), parts(plan.kvHeads, size.heads / plan.kvHeads)]);
    return g.op('Reshape', [five, parts(size.heads)], { allowzero: 1 });
  };
  const query = rotate(g, heads(weights.query), shared);
  const key = repeat(rotate(g, heads(weights.key), shared));
  const value = repeat(heads(weights.value));
  const product = g.op('MatMul', [query, g.op('Transpose', [key], { perm: [0, 1, 3, 2] })]);
  const logits = g.op('Add', [g.op('Mul', [product, g.float(1 / Math.sqrt(size.headDim))]), shared.bias]);
  const attended = g.op('MatMul', [g.op('Softmax', [logits], { axis: -1 }), value]);
  const turned = g.op('Transpose', [attended], { perm: [0, 2, 1, 3] });
  return linear(g, g.op('Reshape', [turned, sizes(-1)], { allowzero: 1 }), weights.output);
}
