import type { Tensors } from '../../src/contract/tensor.ts';
import { architecture, expectedSites, plainLayer } from './architecture.ts';
import { ortOptimizer } from './exporters.ts';
import type { GraphWriter, Value } from './graph-writer.ts';
import { linear } from './layers.ts';
import { fusedAttention, multiHead } from './ort-fused.ts';
import { drawStates } from './sequences.ts';
import type { FeedRequest } from './sequences.ts';
import { buildTransformer } from './transformer.ts';
import type { AttentionPlace } from './transformer.ts';

/** ONNX Runtime's `Attention` and `MultiHeadAttention`, one a layer, without any mask. */
const unmasked = { ...plainLayer, padded: false };
export const design = architecture({ layers: [unmasked, unmasked], input: 'states' });
export const expected = expectedSites(design);

export function build({ seed = 0 }: { seed?: number } = {}): Uint8Array {
  return buildTransformer({ exporter: ortOptimizer, architecture: design, prepare: () => undefined, attend }, seed);
}

/** `x`, f32 `[batch, length, hidden]`. There is no padding: all sequences are as long. */
export function feeds(at: FeedRequest): Tensors {
  return { x: drawStates({ ...at, padded: false }) };
}

function attend(g: GraphWriter, place: AttentionPlace<undefined>): Value {
  return linear(g, place.index === 0 ? fusedAttention(g, place) : multiHead(g, place), place.weights.output);
}
