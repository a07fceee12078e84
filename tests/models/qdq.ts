import { architecture, expectedSites, size } from './architecture.ts';
import { torchScript } from './exporters.ts';
import type { GraphWriter, Value } from './graph-writer.ts';
import { mergeHeads } from './torch-shapes.ts';
import { declareMask, projectHeads } from './torchscript-bert.ts';
import { buildTransformer } from './transformer.ts';
import type { AttentionPlace } from './transformer.ts';
import type { Affine } from './weights.ts';

export { feeds } from './torchscript-bert.ts';

/** BERT after static quantisation: dense layers between `QuantizeLinear` and `DequantizeLinear`, attention's own products float. */
export const design = architecture();
export const expected = expectedSites(design);

/** One step of quantised activations; 8 bits reach from −6.4 to 6.35. */
const step = 0.05;

export function build({ seed = 0 }: { seed?: number } = {}): Uint8Array {
  return buildTransformer({ exporter: torchScript(14), architecture: design, prepare: declareMask, attend, linear }, seed);
}

function attend(g: GraphWriter, place: AttentionPlace<Value>): Value {
  const { query, key, value } = projectHeads(g, place, linear);
  const logits = g.op('Div', [g.op('MatMul', [query, key]), g.float(Math.sqrt(size.headDim))]);
  const weights = g.op('Softmax', [g.op('Add', [logits, place.shared])], { axis: -1 });
  return linear(g, mergeHeads(g, g.op('MatMul', [weights, value])), place.weights.output);
}

/** Activations through uint8 around 128, the weight stored as int8, one scale each. */
function linear(g: GraphWriter, x: Value, { name, inputs, outputs, weight, bias }: Affine): Value {
  const scale = weight.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127;
  const whole = Array.from(weight, (value) => Math.round(value / scale));
  const stored = g.weight(`${name}.weight_quantized`, [inputs, outputs], whole, { type: 'i8' });
  const parameters = (of: string, value: number, zero: number, type: 'i8' | 'u8'): Value[] => [
    g.weight(`${name}.${of}_scale`, [], [value]),
    g.weight(`${name}.${of}_zero_point`, [], [zero], { type }),
  ];
  const activation = parameters('input', step, 128, 'u8');
  const quantised = g.op('QuantizeLinear', [x, ...activation]);
  const dense = g.op('DequantizeLinear', [stored, ...parameters('weight', scale, 0, 'i8')]);
  const product = g.op('MatMul', [g.op('DequantizeLinear', [quantised, ...activation]), dense]);
  return g.op('Add', [g.weight(`${name}.bias`, [outputs], bias), product]);
}
