import type { Tensors } from '../../src/contract/tensor.ts';
import { architecture, expectedSites, size } from './architecture.ts';
import { torchScript } from './exporters.ts';
import type { GraphWriter, Value } from './graph-writer.ts';
import { linear } from './layers.ts';
import { drawTokens, paddingMask } from './sequences.ts';
import type { FeedRequest } from './sequences.ts';
import { additiveMask, mergeHeads, splitHeads } from './torch-shapes.ts';
import { buildTransformer } from './transformer.ts';
import type { AttentionPlace } from './transformer.ts';

/** BERT as TorchScript's exporter writes it: key transposed in one step, logits divided, additive padding mask. Outputs `last_hidden_state`. */
export const design = architecture();
export const expected = expectedSites(design);

export function build({ seed = 0 }: { seed?: number } = {}): Uint8Array {
  return buildTransformer({ exporter: torchScript(14), architecture: design, prepare: declareMask, attend }, seed);
}

/** `input_ids` and `attention_mask`, int64 `[batch, length]`. */
export function feeds(at: FeedRequest): Tensors {
  return { input_ids: drawTokens(at), attention_mask: paddingMask(at) };
}

/** Declares `attention_mask` and makes the additive mask `[batch, 1, 1, keys]`. */
export function declareMask(g: GraphWriter): Value {
  return additiveMask(g, g.input('attention_mask', 'i64', ['batch', 'sequence']));
}

export function attend(g: GraphWriter, place: AttentionPlace<Value>): Value {
  const { query, key, value } = projectHeads(g, place);
  const logits = g.op('Div', [g.op('MatMul', [query, key]), g.float(Math.sqrt(size.headDim))]);
  const weights = g.op('Softmax', [g.op('Add', [logits, place.shared])], { axis: -1 });
  return linear(g, mergeHeads(g, g.op('MatMul', [weights, value])), place.weights.output);
}

/** Query and value `[batch, heads, length, headDim]`, key `[batch, heads, headDim, length]`; in BERT's order: query, key, value. */
export function projectHeads(
  g: GraphWriter,
  { hidden, memory, weights, plan }: AttentionPlace<unknown>,
  write = linear,
): { query: Value; key: Value; value: Value } {
  const query = write(g, hidden, weights.query);
  const key = splitHeads(g, write(g, memory, weights.key), plan.kvHeads, [0, 2, 3, 1]);
  const value = splitHeads(g, write(g, memory, weights.value), plan.kvHeads);
  return { query: splitHeads(g, query, size.heads), key, value };
}
