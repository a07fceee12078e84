import type { Tensors } from '../../src/contract/tensor.ts';
import { architecture, expectedSites, plainLayer, size } from './architecture.ts';
import { dynamo } from './exporters.ts';
import type { GraphWriter, Value } from './graph-writer.ts';
import { drawTokens, paddingMask } from './sequences.ts';
import type { FeedRequest } from './sequences.ts';
import { leastFloat } from './torch-shapes.ts';
import { buildTransformer } from './transformer.ts';
import type { AttentionPlace } from './transformer.ts';
import type { Affine } from './weights.ts';

/** `scaled_dot_product_attention` with a boolean mask, causal and padding in one, as `torch.onnx.export(…, dynamo=True)` writes it. */
const causal = { ...plainLayer, causal: true };
export const design = architecture({ layers: [causal, causal] });
export const expected = expectedSites(design);

const [first, end] = [-(2n ** 63n), 2n ** 63n - 1n];

interface Shared {
  readonly mask: Value;
  readonly batch: Value;
  readonly length: Value;
}

export function build({ seed = 0 }: { seed?: number } = {}): Uint8Array {
  return buildTransformer({ exporter: dynamo(18), architecture: design, prepare, attend, linear }, seed);
}

/** `input_ids` and `attention_mask`, int64 `[batch, length]`. */
export function feeds(at: FeedRequest): Tensors {
  return { input_ids: drawTokens(at), attention_mask: paddingMask(at) };
}

/** The mask: bool `[batch, 1, queries, keys]`, true keeps. */
function prepare(g: GraphWriter, input: Value): Shared {
  const given = g.input('attention_mask', 'i64', ['batch', 'sequence']);
  const length = g.op('Shape', [input], { start: 1, end: 2 });
  const batch = g.op('Shape', [given], { start: 0, end: 1 });
  const padding = g.unsqueeze(g.cast(given, 'bool'), [1, 2]);
  const expanded = g.op('Expand', [padding, g.op('Concat', [batch, g.int([1]), length, length], { axis: 0 })]);
  const numbers = g.op('Range', [g.int(0), g.op('Squeeze', [length]), g.int(1)]);
  const earlier = g.op('LessOrEqual', [g.unsqueeze(numbers, [0]), g.unsqueeze(numbers, [1])]);
  return { mask: g.op('And', [expanded, earlier]), batch, length };
}

function attend(g: GraphWriter, { hidden, weights, index, shared }: AttentionPlace<Shared>): Value {
  const heads = (affine: Affine): Value => {
    const shape = g.op('Concat', [shared.batch, shared.length, g.int([size.heads]), g.int([size.headDim])], { axis: 0 });
    return g.op('Transpose', [g.op('Reshape', [linear(g, hidden, affine), shape], { allowzero: 1 })], { perm: [0, 2, 1, 3] });
  };
  const [query, key, value] = [heads(weights.query), heads(weights.key), heads(weights.value)];
  const root = g.float([size.headDim ** -0.25]);
  const turned = transposeByView(g, key);
  const scaledQuery = g.op('Mul', [query, root]);
  const scaledKey = g.op('Mul', [turned, root]);
  const zero = g.float(0);
  const bias = g.op('Where', [shared.mask, zero, g.float(leastFloat)]);
  const softmax = g.op('Softmax', [g.op('Add', [g.op('MatMul', [scaledQuery, scaledKey]), bias])], { axis: -1 });
  const guarded = g.op('Where', [g.op('IsNaN', [softmax]), zero, softmax]);
  const name = `scaled_dot_product_attention${index === 0 ? '' : `_${index}`}`;
  const turnedBack = g.op('Transpose', [g.rename(g.op('MatMul', [guarded, value]), name)], { perm: [0, 2, 1, 3] });
  const shape = g.op('Concat', [shared.batch, shared.length, g.int([size.hidden])], { axis: 0 });
  return linear(g, g.op('Reshape', [turnedBack, shape], { allowzero: 1 }), weights.output);
}

/** Swaps the last two axes of any number: views of three axes around one transposition. */
function transposeByView(g: GraphWriter, key: Value): Value {
  const shape = g.op('Shape', [key], { start: 0 });
  const last = g.op('Slice', [shape, g.int([-1]), g.int([end])]);
  const secondLast = g.op('Slice', [shape, g.int([-2]), g.int([-1])]);
  const before = g.op('Slice', [shape, g.int([first]), g.int([-2])]);
  const flat = g.op('Reshape', [key, g.op('Concat', [g.int([-1]), secondLast, last], { axis: 0 })], { allowzero: 0 });
  const turned = g.op('Transpose', [flat], { perm: [0, 2, 1] });
  return g.op('Reshape', [turned, g.op('Concat', [before, last, secondLast], { axis: 0 })], { allowzero: 0 });
}

/** `Linear`: the bias comes second here. */
export function linear(g: GraphWriter, x: Value, { name, inputs, outputs, weight, bias }: Affine): Value {
  const product = g.op('MatMul', [x, g.weight(`${name}.weight`, [inputs, outputs], weight, { use: 'MatMul' })]);
  return g.op('Add', [product, g.weight(`${name}.bias`, [outputs], bias, { use: 'Add' })]);
}
