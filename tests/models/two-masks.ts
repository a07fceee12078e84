import type { Tensors } from '../../src/contract/tensor.ts';
import { architecture, expectedSites, plainLayer, size } from './architecture.ts';
import { torchScript } from './exporters.ts';
import type { GraphWriter, Value } from './graph-writer.ts';
import { linear } from './layers.ts';
import { drawStates, drawTokens, paddingMask } from './sequences.ts';
import type { FeedRequest } from './sequences.ts';
import { projectHeads } from './torchscript-bert.ts';
import { additiveMask, mergeHeads } from './torch-shapes.ts';
import { buildTransformer } from './transformer.ts';
import type { AttentionPlace } from './transformer.ts';

/** A decoder and an encoder of one length, each with a mask of its own: one must not be taken for the other. Outputs `last_hidden_state`. */
const design = architecture({ layers: [plainLayer], cross: true });
export const sites = expectedSites(design).sites;

interface Shared {
  readonly states: Value;
  /** `[batch, 1, 1, keys]`, of the decoder's tokens. */
  readonly own: Value;
  /** `[batch, 1, 1, keys]`, of the encoder's states. */
  readonly other: Value;
}

export function build(): Uint8Array {
  const memory = ({ states }: Shared): Value => states;
  return buildTransformer({ exporter: torchScript(14), architecture: design, prepare, attend, memory }, 0);
}

/** `input_ids`, `attention_mask`, `encoder_attention_mask` `[batch, length]`, int64; `encoder_hidden_states` `[batch, length, hidden]`. */
export function feeds(at: FeedRequest): Tensors {
  // The encoder's sequences end elsewhere than the decoder's.
  const encoder = paddingMask({ ...at, padded: false });
  const data = (encoder.data as BigInt64Array).map((kept, place) => (at.padded === true && place % at.length === 0 ? 0n : kept));
  return {
    input_ids: drawTokens(at),
    attention_mask: paddingMask(at),
    encoder_hidden_states: drawStates(at, 'encoder'),
    encoder_attention_mask: { ...encoder, data },
  };
}

function prepare(g: GraphWriter): Shared {
  const other = additiveMask(g, g.input('encoder_attention_mask', 'i64', ['batch', 'sequence']));
  const own = additiveMask(g, g.input('attention_mask', 'i64', ['batch', 'sequence']));
  return { states: g.input('encoder_hidden_states', 'f32', ['batch', 'sequence', size.hidden]), own, other };
}

function attend(g: GraphWriter, place: AttentionPlace<Shared>): Value {
  const { query, key, value } = projectHeads(g, place);
  const logits = g.op('Div', [g.op('MatMul', [query, key]), g.float(Math.sqrt(size.headDim))]);
  const softmax = g.op('Softmax', [g.op('Add', [logits, place.cross ? place.shared.other : place.shared.own])], { axis: -1 });
  return linear(g, mergeHeads(g, g.op('MatMul', [softmax, value])), place.weights.output);
}
