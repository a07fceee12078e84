import type { Tensor, Tensors } from '../../src/contract/tensor.ts';
import { tensorOf } from '../../src/inputs/model-inputs.ts';
import { RandomStream } from '../../src/inputs/random.ts';
import { architecture, expectedSites, plainLayer, size } from './architecture.ts';
import { torchScript } from './exporters.ts';
import type { GraphWriter, Value } from './graph-writer.ts';
import { drawTokens, paddingMask } from './sequences.ts';
import type { FeedRequest } from './sequences.ts';
import { additiveMask, leastFloat, mergeHeads, shapeOf, sizeOf, splitHeads } from './torch-shapes.ts';
import { buildTransformer } from './transformer.ts';
import type { AttentionPlace } from './transformer.ts';
import { joined } from './weights.ts';
import type { Affine } from './weights.ts';

/** GPT-2 with past keys and values, under Optimum's names. Outputs `logits` and `present.<layer>.key` and `.value`. */
const causal = { ...plainLayer, causal: true };
export const design = architecture({ layers: [causal, causal], normPlace: 'before', activation: 'gelu', head: true });
export const expected = expectedSites(design);

interface Shared {
  readonly mask: Value;
  readonly past: ReadonlyArray<{ readonly key: Value; readonly value: Value }>;
  /** Lower triangle of ones, bool `[1, 1, positions, positions]`. */
  readonly triangle: Value;
  readonly present: Array<{ readonly key: Value; readonly value: Value }>;
}

export function build({ seed = 0 }: { seed?: number } = {}): Uint8Array {
  return buildTransformer<Shared>({ exporter: torchScript(14), architecture: design, prepare, positions, attend, finish }, seed);
}

/** `input_ids` `[batch, length]`, `attention_mask` `[batch, past + length]`, and per layer `past_key_values.<layer>.key` and `.value` `[batch, heads, past, headDim]`. */
export function feeds({ past = 4, ...at }: FeedRequest & { past?: number }): Tensors {
  const drawPast = (name: string): Tensor => {
    const dims = [at.batch, size.heads, past, size.headDim];
    const data = new RandomStream(at.seed ?? 0, name).fillNormal(new Float32Array(dims.reduce((product, each) => product * each, 1)));
    return tensorOf('float32', dims, data);
  };
  const names = design.layers.flatMap((_, index) => [`past_key_values.${index}.key`, `past_key_values.${index}.value`]);
  return {
    input_ids: drawTokens(at),
    attention_mask: paddingMask(at, past),
    ...Object.fromEntries(names.map((name) => [name, drawPast(name)])),
  };
}

function prepare(g: GraphWriter): Shared {
  const pastDims = ['batch', size.heads, 'past_sequence', size.headDim];
  const past = design.layers.map((_, index) => ({
    key: g.input(`past_key_values.${index}.key`, 'f32', pastDims),
    value: g.input(`past_key_values.${index}.value`, 'f32', pastDims),
  }));
  const mask = additiveMask(g, g.input('attention_mask', 'i64', ['batch', 'past_sequence + sequence']));
  const { positions: most } = size;
  const ones = new Uint8Array(most * most).map((_, at) => (at % most <= Math.floor(at / most) ? 1 : 0));
  return { mask, past, present: [], triangle: g.weight('transformer.h.0.attn.bias', [1, 1, most, most], ones, { type: 'bool' }) };
}

/** `past`, `past + 1`, …: `[1, sequence]`. */
function positions(g: GraphWriter, input: Value, { past }: Shared): Value {
  const before = sizeOf(g, past[0]!.key, 2);
  const end = g.op('Add', [sizeOf(g, input, 1), before]);
  return g.op('Reshape', [g.unsqueeze(g.op('Range', [before, end, g.int(1)]), [0]), g.int([1, -1])]);
}

function attend(g: GraphWriter, { hidden, weights, index, shared }: AttentionPlace<Shared>): Value {
  const fused = conv1d(g, hidden, joined(`${weights.name}.c_attn`, [weights.query, weights.key, weights.value]));
  const parts = g.ops('Split', [fused, g.int([size.hidden, size.hidden, size.hidden])], 3, { axis: 2 });
  const [query, newKey, newValue] = parts.map((part) => splitHeads(g, part, size.heads)) as [Value, Value, Value];
  const key = g.op('Concat', [shared.past[index]!.key, newKey], { axis: -2 });
  const value = g.op('Concat', [shared.past[index]!.value, newValue], { axis: -2 });
  shared.present.push({ key, value });
  const product = g.op('MatMul', [query, g.op('Transpose', [key], { perm: [0, 1, 3, 2] })]);
  const logits = g.op('Div', [product, g.float(Math.sqrt(size.headDim))]);
  const masked = g.op('Add', [maskFuture(g, { logits, query, key, triangle: shared.triangle }), shared.mask]);
  const attended = g.op('MatMul', [g.op('Softmax', [masked], { axis: -1 }), value]);
  return conv1d(g, mergeHeads(g, attended), weights.output);
}

/** `Where(triangle[:, :, keys − queries : keys, :keys], logits, least)` */
function maskFuture(
  g: GraphWriter,
  { logits, query, key, triangle }: Readonly<Record<'logits' | 'query' | 'key' | 'triangle', Value>>,
): Value {
  const [queries, keys] = [sizeOf(g, query, 2), sizeOf(g, key, 2)];
  const first = g.unsqueeze(g.op('Sub', [keys, queries]), [0]);
  const last = g.unsqueeze(keys, [0]);
  const rows = g.op('Slice', [triangle, first, last, g.int([2]), g.int([1])]);
  const square = g.op('Slice', [rows, g.int([0]), last, g.int([3]), g.int([1])]);
  return g.op('Where', [square, logits, g.float(leastFloat)]);
}

/** GPT-2's `Conv1D`: flattened to two axes, `Gemm`, and back. */
function conv1d(g: GraphWriter, x: Value, { name, inputs, outputs, weight, bias }: Affine): Value {
  const shape = shapeOf(g, [sizeOf(g, x, 0), sizeOf(g, x, 1), outputs]);
  const flat = g.op('Reshape', [x, g.int([-1, inputs])], { allowzero: 0 });
  const parameters = [g.weight(`${name}.weight`, [inputs, outputs], weight), g.weight(`${name}.bias`, [outputs], bias)];
  const product = g.op('Gemm', [flat, ...parameters], { alpha: { float: 1 }, beta: { float: 1 } });
  return g.op('Reshape', [product, shape], { allowzero: 0 });
}

function finish(g: GraphWriter, { present }: Shared): void {
  const dims = ['batch', size.heads, 'past_sequence + sequence', size.headDim];
  present.forEach(({ key, value }, index) => {
    g.output(`present.${index}.key`, key, 'f32', dims);
    g.output(`present.${index}.value`, value, 'f32', dims);
  });
}
