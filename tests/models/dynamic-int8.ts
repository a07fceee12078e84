import { architecture, expectedSites, size } from './architecture.ts';
import { torchScript } from './exporters.ts';
import type { GraphWriter, Value } from './graph-writer.ts';
import { mergeHeads } from './torch-shapes.ts';
import { declareMask, projectHeads } from './torchscript-bert.ts';
import { buildTransformer } from './transformer.ts';
import type { AttentionPlace } from './transformer.ts';
import type { Affine } from './weights.ts';

export { feeds } from './torchscript-bert.ts';

/**
 * BERT after dynamic quantisation: the dense layers multiply 8-bit integers, attention's own products stay float. The scale of
 * a tensor follows from all its values, so padded positions move the others by a rounding step.
 */
export const design = architecture();
export const expected = expectedSites(design);

export function build({ seed = 0 }: { seed?: number } = {}): Uint8Array {
  return buildTransformer({ exporter: torchScript(14), architecture: design, prepare: declareMask, attend, linear: quantised }, seed);
}

function attend(g: GraphWriter, place: AttentionPlace<Value>): Value {
  const { query, key, value } = projectHeads(g, place, quantised);
  const logits = g.op('Div', [g.op('MatMul', [query, key]), g.float(Math.sqrt(size.headDim))]);
  const weights = g.op('Softmax', [g.op('Add', [logits, place.shared])], { axis: -1 });
  return quantised(g, mergeHeads(g, g.op('MatMul', [weights, value])), place.weights.output);
}

/** `DynamicQuantizeLinear` → `MatMulInteger` → scales; the weight is int8, symmetric, one scale for all. */
function quantised(g: GraphWriter, x: Value, { name, inputs, outputs, weight, bias }: Affine): Value {
  const scale = weight.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127;
  const whole = Array.from(weight, (value) => Math.round(value / scale));
  const quantisedWeight = g.weight(`${name}.weight_quantized`, [inputs, outputs], whole, { type: 'i8' });
  const zero = g.weight(`${name}.weight_zero_point`, [], [0], { type: 'i8' });
  const weightScale = g.weight(`${name}.weight_scale`, [], [scale]);
  const [whole8, xScale, xZero] = g.ops('DynamicQuantizeLinear', [x], 3) as [Value, Value, Value];
  const product = g.cast(g.op('MatMulInteger', [whole8, quantisedWeight, xZero, zero]), 'f32');
  const scaled = g.op('Mul', [product, g.op('Mul', [xScale, weightScale])]);
  return g.op('Add', [g.weight(`${name}.bias`, [outputs], bias), scaled]);
}
