import { architecture, expectedSites, size } from './architecture.ts';
import type { Expected } from './architecture.ts';
import { torchScript } from './exporters.ts';
import type { GraphWriter, Value } from './graph-writer.ts';
import { linear } from './layers.ts';
import { mergeHeads } from './torch-shapes.ts';
import { declareMask, projectHeads } from './torchscript-bert.ts';
import { buildTransformer } from './transformer.ts';
import type { AttentionPlace } from './transformer.ts';

export { feeds } from './torchscript-bert.ts';

/** BERT whose softmax is written out: the row's maximum subtracted, exponential, sum, quotient. */
export const design = architecture();
export const expected: Expected = { ...expectedSites(design), mayBeUnknown: true };

export function build({ seed = 0 }: { seed?: number } = {}): Uint8Array {
  return buildTransformer({ exporter: torchScript(14), architecture: design, prepare: declareMask, attend }, seed);
}

function attend(g: GraphWriter, place: AttentionPlace<Value>): Value {
  const { query, key, value } = projectHeads(g, place);
  const logits = g.op('Add', [g.op('Div', [g.op('MatMul', [query, key]), g.float(Math.sqrt(size.headDim))]), place.shared]);
  const centred = g.op('Sub', [logits, g.op('ReduceMax', [logits], { axes: [-1], keepdims: 1 })]);
  const powers = g.op('Exp', [centred]);
  const weights = g.op('Div', [powers, g.op('ReduceSum', [powers, g.int([-1])], { keepdims: 1 })]);
  return linear(g, mergeHeads(g, g.op('MatMul', [weights, value])), place.weights.output);
}
