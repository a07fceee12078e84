import { size } from './architecture.ts';
import { torchScript } from './exporters.ts';
import type { GraphWriter, Value } from './graph-writer.ts';
import { linear } from './layers.ts';
import { mergeHeads } from './torch-shapes.ts';
import * as bert from './torchscript-bert.ts';
import { buildTransformer } from './transformer.ts';
import type { AttentionPlace } from './transformer.ts';

/**
 * BERT whose attention is quantized statically: every operator between quantizers, the softmax and the weights among them.
 * @param shrinks by which logits are divided as they are dequantized
 */
export function buildRounded({ shrinks = 1 } = {}): Uint8Array {
  const attend = (g: GraphWriter, place: AttentionPlace<Value>): Value => {
    const { query, key, value } = bert.projectHeads(g, place);
    let count = 0;
    const rounded = (x: Value, step: number, zero: number, back = step): Value => {
      const name = `${place.weights.output.name}.quantizer${count++}`;
      const zeroPoint = g.weight(`${name}.zero_point`, [], [zero], { type: 'u8' });
      const [to, from] = [step, back].map((each, at) => g.weight(`${name}.scale${at}`, [], [each]));
      return g.op('DequantizeLinear', [g.op('QuantizeLinear', [x, to!, zeroPoint]), from!, zeroPoint]);
    };
    const products = rounded(g.op('MatMul', [rounded(query, 0.05, 128), rounded(key, 0.05, 128)]), 0.2, 128);
    // A factor is quantized, too: 181 steps from its zero point.
    const factor = [
      g.weight(`${place.weights.output.name}.factor`, [], [200], { type: 'u8' }),
      g.weight(`${place.weights.output.name}.factor.scale`, [], [1 / (181 * Math.sqrt(size.headDim))]),
      g.weight(`${place.weights.output.name}.factor.zero_point`, [], [19], { type: 'u8' }),
    ];
    const logits = rounded(g.op('Mul', [products, g.op('DequantizeLinear', factor)]), 0.1, 128, 0.1 / shrinks);
    const weights = rounded(g.op('Softmax', [g.op('Add', [logits, place.shared])], { axis: -1 }), 1 / 255, 0);
    return linear(g, mergeHeads(g, rounded(g.op('MatMul', [weights, rounded(value, 0.05, 128)]), 0.05, 128)), place.weights.output);
  };
  return buildTransformer({ exporter: torchScript(14), architecture: bert.design, prepare: bert.declareMask, attend }, 0);
}
