import type { Tensors } from '../../src/contract/tensor.ts';
import { architecture, expectedSites, plainLayer, size } from './architecture.ts';
import { dynamo } from './exporters.ts';
import type { GraphWriter, Value } from './graph-writer.ts';
import { linear } from './layers.ts';
import { drawTokens, paddingMask } from './sequences.ts';
import type { FeedRequest } from './sequences.ts';
import { additiveMask, mergeHeads, shapeOf, sizeOf, splitHeads } from './torch-shapes.ts';
import { buildTransformer } from './transformer.ts';
import type { AttentionPlace } from './transformer.ts';

/** The standard `Attention` operator of opset 23 in four forms, one a layer, named by their masks. */
const forms = [
  'boolean mask on four axes',
  'float mask on three axes',
  'causal on four axes',
  'causal, boolean mask, shared keys, on three axes',
] as const;
export const design = architecture({
  layers: [plainLayer, plainLayer, { ...plainLayer, causal: true, padded: false }, { kvHeads: 2, causal: true, padded: true }],
});
export const expected = expectedSites(design);

interface Shared {
  /** `[batch, 1, queries, keys]`, true keeps. */
  readonly kept: Value;
  /** `[batch, 1, queries, keys]` */
  readonly bias: Value;
}

export function build({ seed = 0 }: { seed?: number } = {}): Uint8Array {
  return buildTransformer({ exporter: dynamo(23), architecture: design, prepare, attend }, seed);
}

/** `input_ids` and `attention_mask`, int64 `[batch, length]`. */
export function feeds(at: FeedRequest): Tensors {
  return { input_ids: drawTokens(at), attention_mask: paddingMask(at) };
}

function prepare(g: GraphWriter, input: Value): Shared {
  const mask = g.input('attention_mask', 'i64', ['batch', 'sequence']);
  const [batch, length] = [sizeOf(g, input, 0), sizeOf(g, input, 1)];
  const square = shapeOf(g, [batch, 1, length, length]);
  const kept = g.op('Expand', [g.unsqueeze(g.cast(mask, 'bool'), [1, 2]), square]);
  return { kept, bias: g.op('Expand', [additiveMask(g, mask), square]) };
}

function attend(g: GraphWriter, { hidden, weights, plan, index, shared }: AttentionPlace<Shared>): Value {
  const form = forms[index]!;
  const parts = [linear(g, hidden, weights.query), linear(g, hidden, weights.key), linear(g, hidden, weights.value)];
  const mask = form.includes('boolean') ? [shared.kept] : form.includes('float') ? [shared.bias] : [];
  const causal = plan.causal ? { is_causal: 1 } : {};
  if (form.endsWith('three axes')) {
    const attended = g.op('Attention', [...parts, ...mask], { q_num_heads: size.heads, kv_num_heads: plan.kvHeads, ...causal });
    return linear(g, attended, weights.output);
  }
  const heads = parts.map((part) => splitHeads(g, part, size.heads));
  const scale = { scale: { float: 1 / Math.sqrt(size.headDim) } };
  return linear(g, mergeHeads(g, g.op('Attention', [...heads, ...mask], { ...scale, ...causal })), weights.output);
}
