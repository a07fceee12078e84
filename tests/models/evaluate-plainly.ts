import type { Tensor, Tensors } from '../../src/contract/tensor.ts';
import { size } from './architecture.ts';
import type { Architecture } from './architecture.ts';
import type { KeysAndValues } from './plain-attention.ts';
import { evaluate } from './plain-transformer.ts';
import type { PlainInput } from './plain-transformer.ts';
import type { Sequence } from './plain-projection.ts';
import { keptPositions } from './sequences.ts';
import type { FeedRequest } from './sequences.ts';
import { drawWeights } from './weights.ts';

/** A model's first output by the plain evaluation, row-major, from the feeds that its graph gets. */
export function evaluatePlainly(architecture: Architecture, feeds: Tensors, at: FeedRequest, seed = 0): number[] {
  const weights = drawWeights(architecture, seed);
  return Array.from({ length: at.batch }, (_, row) =>
    evaluate(architecture, weights, plainInput(architecture, feeds, at, row)).flat(),
  ).flat();
}

function plainInput({ layers, cross }: Architecture, feeds: Tensors, at: FeedRequest, row: number): PlainInput {
  const tokens = feeds['input_ids'] ?? feeds['decoder_input_ids'];
  const sequence = tokens === undefined ? statesOf(feeds['x']!, row) : statesOf(tokens, row).flat();
  const past = layers.flatMap((_, index): KeysAndValues[] => {
    const [keys, values] = [feeds[`past_key_values.${index}.key`], feeds[`past_key_values.${index}.value`]];
    return keys === undefined || values === undefined ? [] : [{ keys: joinHeads(keys, row), values: joinHeads(values, row) }];
  });
  const own = cross || (feeds['attention_mask'] ?? feeds['key_padding_mask']) === undefined ? { ...at, padded: false } : at;
  const before = Array.from({ length: past[0]?.keys.length ?? 0 }, () => true);
  const keep = [...before, ...keptPositions(own)[row]!];
  const encoder = feeds['encoder_hidden_states'];
  if (encoder === undefined) return { sequence, keep, past };
  const kept = keptPositions({ ...at, length: encoder.dims[1]! })[row]!;
  return { sequence, keep, past, memory: { states: statesOf(encoder, row), keep: kept } };
}

/** One sequence of `[batch, length, width]` or `[batch, length]`. */
function statesOf({ dims, data }: Tensor, row: number): Sequence {
  const [length, width] = [dims[1]!, dims[2] ?? 1];
  const start = row * length * width;
  return Array.from({ length }, (_, at) => Array.from(data.slice(start + at * width, start + (at + 1) * width), Number));
}

/** One sequence of `[batch, heads, length, headDim]` as `[length][heads · headDim]`. */
function joinHeads({ dims, data }: Tensor, row: number): Sequence {
  const [heads, length] = [dims[1]!, dims[2]!];
  const part = (head: number, at: number) => {
    const start = ((row * heads + head) * length + at) * size.headDim;
    return Array.from(data.slice(start, start + size.headDim), Number);
  };
  return Array.from({ length }, (_, at) => Array.from({ length: heads }, (__, head) => part(head, at)).flat());
}
