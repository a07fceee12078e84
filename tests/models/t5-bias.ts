import { architecture, expectedSites, size } from './architecture.ts';
import { torchScript } from './exporters.ts';
import type { GraphWriter, Value } from './graph-writer.ts';
import { linear } from './layers.ts';
import { additiveMask, mergeHeads, sizeOf } from './torch-shapes.ts';
import { projectHeads } from './torchscript-bert.ts';
import { buildTransformer } from './transformer.ts';
import type { AttentionPlace } from './transformer.ts';
import type { Weights } from './weights.ts';

export { feeds } from './torchscript-bert.ts';

/** T5's encoder: logits unscaled, a learned bias by distance added in every layer. */
export const design = architecture({ scaled: false, relativeBias: true, normPlace: 'before', norm: 'rms' });
export const expected = expectedSites(design);

export function build({ seed = 0 }: { seed?: number } = {}): Uint8Array {
  return buildTransformer({ exporter: torchScript(14), architecture: design, prepare, attend }, seed);
}

/** Bias by distance plus padding mask, `[batch, heads, queries, keys]`. */
function prepare(g: GraphWriter, input: Value, { distances }: Weights): Value {
  const padding = additiveMask(g, g.input('attention_mask', 'i64', ['batch', 'sequence']));
  g.scope = '/encoder/relative_attention_bias';
  const positions = g.op('Range', [g.int(0), sizeOf(g, input, 1), g.int(1)]);
  const apart = g.op('Sub', [g.unsqueeze(positions, [0]), g.unsqueeze(positions, [1])]);
  const buckets = g.op('Add', [g.op('Clip', [apart, g.int(-8), g.int(7)]), g.int(8)]);
  const table = g.weight('encoder.relative_attention_bias.weight', [16, size.heads], distances);
  const values = g.op('Transpose', [g.op('Gather', [table, buckets], { axis: 0 })], { perm: [2, 0, 1] });
  return g.op('Add', [g.unsqueeze(values, [0]), padding]);
}

function attend(g: GraphWriter, place: AttentionPlace<Value>): Value {
  const { query, key, value } = projectHeads(g, place);
  const softmax = g.op('Softmax', [g.op('Add', [g.op('MatMul', [query, key]), place.shared])], { axis: -1 });
  return linear(g, mergeHeads(g, g.op('MatMul', [softmax, value])), place.weights.output);
}
