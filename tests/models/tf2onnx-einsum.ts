import { architecture, expectedSites, size } from './architecture.ts';
import { tensorFlow } from './exporters.ts';
import type { GraphWriter, Value } from './graph-writer.ts';
import { declareMask, linear } from './tf2onnx-bert.ts';
import { buildTransformer } from './transformer.ts';
import type { AttentionPlace } from './transformer.ts';
import type { Affine } from './weights.ts';

export { feeds } from './tf2onnx-bert.ts';

/** Keras's `MultiHeadAttention` as tf2onnx writes it: every product an `Einsum` on `[batch, length, heads, headDim]`, the query scaled. */
export const design = architecture();
export const expected = expectedSites(design);

export function build({ seed = 0 }: { seed?: number } = {}): Uint8Array {
  return buildTransformer({ exporter: tensorFlow, architecture: design, prepare: declareMask, attend, linear }, seed);
}

function attend(g: GraphWriter, { hidden, weights, shared }: AttentionPlace<Value>): Value {
  const { heads, headDim, hidden: width } = size;
  const project = ({ name, weight, bias }: Affine): Value => {
    const kernel = g.weight(`${name}.kernel`, [width, heads, headDim], weight);
    const product = g.op('Einsum', [hidden, kernel], { equation: 'abc,cde->abde' });
    return g.op('Add', [product, g.weight(`${name}.bias`, [heads, headDim], bias)]);
  };
  const query = g.op('Mul', [project(weights.query), g.float(1 / Math.sqrt(headDim))]);
  const [key, value] = [project(weights.key), project(weights.value)];
  const logits = g.op('Einsum', [key, query], { equation: 'aecd,abcd->acbe' });
  const softmax = g.op('Softmax', [g.op('Add', [logits, shared])], { axis: -1 });
  const attended = g.op('Einsum', [softmax, value], { equation: 'acbe,aecd->abcd' });
  const { name, weight, bias } = weights.output;
  const kernel = g.weight(`${name}.kernel`, [heads, headDim, width], weight);
  return g.op('Add', [g.op('Einsum', [attended, kernel], { equation: 'abcd,cde->abe' }), g.weight(`${name}.bias`, [width], bias)]);
}
