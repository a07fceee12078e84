import { architecture, expectedSites, size } from './architecture.ts';
import { torchScript } from './exporters.ts';
import type { GraphWriter, Value } from './graph-writer.ts';
import { linear } from './layers.ts';
import { additiveMask, mergeHeads } from './torch-shapes.ts';
import { projectHeads } from './torchscript-bert.ts';
import { buildTransformer } from './transformer.ts';
import type { AttentionPlace } from './transformer.ts';

export { feeds } from './torchscript-bert.ts';

/** BERT in half precision: mask cast to f16, least value −65504, softmax in f32 between two casts. The output is f16. */
export const design = architecture();
export const expected = expectedSites(design);

export function build({ seed = 0 }: { seed?: number } = {}): Uint8Array {
  return buildTransformer({ exporter: torchScript(17), architecture: design, floatType: 'f16', prepare, attend }, seed);
}

function prepare(g: GraphWriter): Value {
  return additiveMask(g, g.input('attention_mask', 'i64', ['batch', 'sequence']), -65_504);
}

function attend(g: GraphWriter, place: AttentionPlace<Value>): Value {
  const { query, key, value } = projectHeads(g, place);
  const logits = g.op('Div', [g.op('MatMul', [query, key]), g.float(Math.sqrt(size.headDim))]);
  const wide = g.cast(g.op('Add', [logits, place.shared]), 'f32');
  const softmax = g.cast(g.op('Softmax', [wide], { axis: -1 }), 'f16');
  return linear(g, mergeHeads(g, g.op('MatMul', [softmax, value])), place.weights.output);
}
