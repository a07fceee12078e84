import type { Tensors } from '../../src/contract/tensor.ts';
import { architecture, expectedSites, plainLayer, size } from './architecture.ts';
import { torchScript } from './exporters.ts';
import type { GraphWriter, Value } from './graph-writer.ts';
import { linear } from './layers.ts';
import { tensorProto } from './protos.ts';
import { drawStates, drawTokens, paddingMask } from './sequences.ts';
import type { FeedRequest } from './sequences.ts';
import { projectHeads } from './torchscript-bert.ts';
import { additiveMask, leastFloat, mergeHeads, shapeOf, sizeOf } from './torch-shapes.ts';
import { buildTransformer } from './transformer.ts';
import type { AttentionPlace } from './transformer.ts';

/** A decoder: in each layer causal self-attention, then attention to an encoder's states, which are of another length and padded. */
const layer = { ...plainLayer, causal: true, padded: false };
export const design = architecture({ layers: [layer, layer], cross: true });
export const expected = expectedSites(design);

interface Shared {
  readonly states: Value;
  /** `[batch, 1, 1, keys]` of the encoder. */
  readonly padding: Value;
  /** `[queries, queries]` */
  readonly future: Value;
}

export function build({ seed = 0 }: { seed?: number } = {}): Uint8Array {
  const memory = ({ states }: Shared): Value => states;
  return buildTransformer(
    { exporter: torchScript(14), architecture: design, prepare, attend, memory, inputName: 'decoder_input_ids' },
    seed,
  );
}

/** How many states the encoder gives where the decoder has `length` tokens. */
export function encoderLength(length: number): number {
  return 2 * length + 3;
}

/** `decoder_input_ids` `[batch, length]`, `encoder_hidden_states` `[batch, 2·length + 3, hidden]`, `encoder_attention_mask` `[batch, 2·length + 3]`. */
export function feeds(at: FeedRequest): Tensors {
  const encoder = { ...at, length: encoderLength(at.length) };
  return {
    decoder_input_ids: drawTokens({ ...at, padded: false }),
    encoder_hidden_states: drawStates(encoder, 'encoder'),
    encoder_attention_mask: paddingMask(encoder),
  };
}

function prepare(g: GraphWriter, input: Value): Shared {
  const states = g.input('encoder_hidden_states', 'f32', ['batch', 'encoder_sequence', size.hidden]);
  const padding = additiveMask(g, g.input('encoder_attention_mask', 'i64', ['batch', 'encoder_sequence']));
  const length = sizeOf(g, input, 1);
  const least = tensorProto('', 'f32', [1], [leastFloat]);
  const full = g.op('ConstantOfShape', [shapeOf(g, [length, length])], { value: { tensor: least } });
  return { states, padding, future: g.op('Trilu', [full, g.int(1)], { upper: 1 }) };
}

function attend(g: GraphWriter, place: AttentionPlace<Shared>): Value {
  const { query, key, value } = projectHeads(g, place);
  const scaled = g.op('Mul', [query, g.float(size.headDim ** -0.5)]);
  const mask = place.cross ? place.shared.padding : place.shared.future;
  const softmax = g.op('Softmax', [g.op('Add', [g.op('MatMul', [scaled, key]), mask])], { axis: -1 });
  return linear(g, mergeHeads(g, g.op('MatMul', [softmax, value])), place.weights.output);
}
