import { architecture, expectedSites, size } from './architecture.ts';
import { torchScript } from './exporters.ts';
import type { GraphWriter, Value } from './graph-writer.ts';
import { linear } from './layers.ts';
import { tensorProto } from './protos.ts';
import { expandByView, leastFloat, mergeHeads, shapeOf, sizeOf } from './torch-shapes.ts';
import { projectHeads } from './torchscript-bert.ts';
import { buildTransformer } from './transformer.ts';
import type { AttentionPlace } from './transformer.ts';

export { feeds } from './torchscript-bert.ts';

/**
 * An encoder of transformers 5 through TorchScript's exporter: the padding mask is flattened, looked up by `Gather` at
 * sequence · length + key, and joined with conditions that always hold.
 */
export const design = architecture();
export const expected = expectedSites(design);

export function build({ seed = 0 }: { seed?: number } = {}): Uint8Array {
  return buildTransformer({ exporter: torchScript(17), architecture: design, prepare, attend }, seed);
}

/** Zeros and least floats, `[batch, 1, queries, keys]`. */
function prepare(g: GraphWriter, input: Value): Value {
  const mask = g.cast(g.input('attention_mask', 'i64', ['batch', 'sequence']), 'bool');
  const [batch, length] = [sizeOf(g, input, 0), sizeOf(g, input, 1)];
  const count = (size: Value): Value => g.op('Range', [g.int(0), size, g.int(1)]);
  const along = (x: Value, axes: readonly number[]): Value => axes.reduce((result, axis) => g.unsqueeze(result, [axis]), x);
  const rows = along(count(batch), [1, 2, 3]);
  const keys = along(count(sizeOf(g, mask, 1)), [0, 1, 2]);
  const queries = along(count(length), [0, 1, 3]);
  const always = g.op('ConstantOfShape', [g.constant('i64', [])], { value: { tensor: tensorProto('', 'bool', [1], [1]) } });
  const allowed = g.op('And', [always, g.cast(g.op('GreaterOrEqual', [queries, g.int(0)]), 'bool')]);
  const flat = g.op('Flatten', [mask], { axis: 2 });
  const stride = g.op('Gather', [g.op('Shape', [mask]), g.int([1])], { axis: 0 });
  const places = g.op('Add', [g.op('Mul', [rows, stride]), keys]);
  const found = g.op('Reshape', [g.op('Gather', [flat, places], { axis: 0 }), g.op('Shape', [places])], { allowzero: 0 });
  const kept = g.op('And', [allowed, g.cast(found, 'bool')]);
  const square = expandByView(g, kept, shapeOf(g, [batch, -1, length, length]));
  return g.op('Where', [square, g.float(0), g.float(leastFloat)]);
}

function attend(g: GraphWriter, place: AttentionPlace<Value>): Value {
  const { query, key, value } = projectHeads(g, place);
  const logits = g.op('Mul', [g.op('MatMul', [query, key]), g.float(1 / Math.sqrt(size.headDim))]);
  const weights = g.op('Softmax', [g.op('Add', [logits, place.shared])], { axis: -1 });
  return linear(g, mergeHeads(g, g.op('MatMul', [weights, value])), place.weights.output);
}
