import type { Tensors } from '../../src/contract/tensor.ts';
import { architecture, expectedSites, plainLayer, size } from './architecture.ts';
import { ortOptimizer } from './exporters.ts';
import type { GraphWriter, Value } from './graph-writer.ts';
import { linear } from './layers.ts';
import { drawTokens, paddingMask } from './sequences.ts';
import type { FeedRequest } from './sequences.ts';
import { sizeOf } from './torch-shapes.ts';
import { buildTransformer } from './transformer.ts';
import type { AttentionPlace } from './transformer.ts';
import { joined } from './weights.ts';
import type { Affine } from './weights.ts';

/** ONNX Runtime's own operators, one a layer: `Attention` with a raw mask, `MultiHeadAttention` with bias and mask, `GroupQueryAttention` without past. */
export const design = architecture({ layers: [plainLayer, plainLayer, { kvHeads: 2, causal: true, padded: true }] });
export const expected = expectedSites(design);

interface Shared {
  /** int32 `[batch, keys]`, ones are kept. */
  readonly mask: Value;
  /** Kept keys less one, int32 `[batch]`. */
  readonly lastKeys: Value;
  /** int32 scalar. */
  readonly length: Value;
}

export function build({ seed = 0 }: { seed?: number } = {}): Uint8Array {
  return buildTransformer({ exporter: ortOptimizer, architecture: design, prepare, attend }, seed);
}

/** `input_ids` and `attention_mask`, int64 `[batch, length]`. */
export function feeds(at: FeedRequest): Tensors {
  return { input_ids: drawTokens(at), attention_mask: paddingMask(at) };
}

function prepare(g: GraphWriter, input: Value): Shared {
  const given = g.input('attention_mask', 'i64', ['batch', 'sequence']);
  const kept = g.op('ReduceSum', [given, g.int([1])], { keepdims: 0 });
  const lastKeys = g.cast(g.op('Sub', [kept, g.int(1)]), 'i32');
  return { mask: g.cast(given, 'i32'), lastKeys, length: g.cast(sizeOf(g, input, 1), 'i32') };
}

function attend(g: GraphWriter, place: AttentionPlace<Shared>): Value {
  const { weights, index, shared } = place;
  if (index === 0) return linear(g, fusedAttention(g, place, shared.mask), weights.output);
  if (index === 1) return linear(g, multiHead(g, place, shared.mask), weights.output);
  return linear(g, groupQuery(g, place), weights.output);
}

/** `Attention`: projections inside, their weights packed. */
export function fusedAttention(g: GraphWriter, { hidden, weights }: AttentionPlace<unknown>, mask?: Value): Value {
  const { inputs, outputs, weight, bias } = joined(weights.name, [weights.query, weights.key, weights.value]);
  const packed = [g.weight(`${weights.name}.qkv_weight`, [inputs, outputs], weight), g.weight(`${weights.name}.qkv_bias`, [outputs], bias)];
  return g.microsoft('Attention', [hidden, ...packed, ...(mask === undefined ? [] : [mask])], { num_heads: size.heads });
}

/** `MultiHeadAttention`: projections outside, but for their bias. */
export function multiHead(g: GraphWriter, { hidden, weights }: AttentionPlace<unknown>, mask?: Value): Value {
  const parts = [weights.query, weights.key, weights.value];
  const product = ({ name, inputs, outputs, weight }: Affine): Value =>
    g.op('MatMul', [hidden, g.weight(`${name}.weight`, [inputs, outputs], weight, { use: 'MatMul' })]);
  const { outputs, bias } = joined(weights.name, parts);
  const inputs = [...parts.map(product), g.weight(`${weights.name}.qkv_bias`, [outputs], bias)];
  return g.op('MultiHeadAttention', mask === undefined ? inputs : [...inputs, mask], { num_heads: size.heads });
}

function groupQuery(g: GraphWriter, { hidden, weights, plan, shared }: AttentionPlace<Shared>): Value {
  const parts = [weights.query, weights.key, weights.value].map((affine) => linear(g, hidden, affine));
  const inputs = [...parts, '', '', shared.lastKeys, shared.length];
  return g.ops('GroupQueryAttention', inputs, 3, { num_heads: size.heads, kv_num_heads: plan.kvHeads })[0]!;
}
