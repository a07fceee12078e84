import { size } from './architecture.ts';
import type { Architecture } from './architecture.ts';
import type { GraphWriter, Value } from './graph-writer.ts';
import type { Affine, Norm } from './weights.ts';

/** `x · weight + bias` as PyTorch's exporters write `Linear` on three axes. */
export function linear(g: GraphWriter, x: Value, { name, inputs, outputs, weight, bias }: Affine): Value {
  const product = g.op('MatMul', [x, g.weight(`${name}.weight`, [inputs, outputs], weight, { use: 'MatMul' })]);
  return g.op('Add', [g.weight(`${name}.bias`, [outputs], bias, { use: 'Add' }), product]);
}

/** Layer normalisation, one operator where the opset has it; or root-mean-square normalisation. ε is 10⁻⁵. */
export function normalise(g: GraphWriter, kind: Architecture['norm'], x: Value, { name, gain, bias }: Norm): Value {
  const scale = g.weight(`${name}.weight`, [size.hidden], gain);
  if (kind === 'rms') {
    const variance = mean(g, g.op('Pow', [x, g.float(2)]));
    const inverse = g.op('Div', [g.float(1), g.op('Sqrt', [g.op('Add', [variance, g.float(1e-5)])])]);
    return g.op('Mul', [scale, g.op('Mul', [x, inverse])]);
  }
  const shift = g.weight(`${name}.bias`, [size.hidden], bias);
  if (g.opset >= 17) return g.op('LayerNormalization', [x, scale, shift], { axis: -1, epsilon: { float: 1e-5 } });
  const centred = g.op('Sub', [x, mean(g, x)]);
  const variance = mean(g, g.op('Pow', [centred, g.float(2)]));
  const standard = g.op('Div', [centred, g.op('Sqrt', [g.op('Add', [variance, g.float(1e-5)])])]);
  return g.op('Add', [g.op('Mul', [standard, scale]), shift]);
}

function mean(g: GraphWriter, x: Value): Value {
  return g.opset >= 18 ? g.op('ReduceMean', [x, g.int([-1])], { keepdims: 1 }) : g.op('ReduceMean', [x], { axes: [-1], keepdims: 1 });
}

export function activate(g: GraphWriter, activation: Architecture['activation'], x: Value): Value {
  if (activation === 'relu') return g.op('Relu', [x]);
  if (activation === 'silu') return g.op('Mul', [x, g.op('Sigmoid', [x])]);
  const cubed = g.op('Mul', [g.op('Pow', [x, g.float(3)]), g.float(0.044715)]);
  const inner = g.op('Mul', [g.op('Add', [x, cubed]), g.float(Math.sqrt(2 / Math.PI))]);
  return g.op('Mul', [g.op('Mul', [x, g.float(0.5)]), g.op('Add', [g.op('Tanh', [inner]), g.float(1)])]);
}
