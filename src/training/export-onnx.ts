import { GraphBuilder } from '../model/graph-builder.ts';
import type { Value } from '../model/graph-builder.ts';
import { checkWeights } from './check-weights.ts';
import type { Weights } from './check-weights.ts';
import type { ExportOptions, ModelParts } from './model-parts.ts';
import { attention, positionTables } from './onnx-attention.ts';
import { linear, mlp, norm, slicedRows } from './onnx-layers.ts';
import { sinusoidalTable } from './positions.ts';
import { parametersOf } from './testbed.ts';
import type { Testbed } from './testbed.ts';

/**
 * The trained testbed as an ONNX model, f32: input `tokens` int64 `[batch, length]`, both dynamic, length at most the testbed's; output
 * `logits` `[batch, length, classes]`. Weights are initializers under their parameters' names; attention is the adapter's kernel, one
 * a layer, so that the model is what a user's own would be: sites are found in it, swapped and measured.
 * @throws INVALID_INPUTS for weights that are not this testbed's; UNSUPPORTED where the adapter lacks a kernel
 */
export function exportTestbed(testbed: Testbed, weights: Weights, options: ExportOptions): Uint8Array {
  checkWeights(testbed, weights, 'weights');
  const graph = new GraphBuilder();
  const tokens = graph.input('tokens', 'i64', ['batch', 'length']);
  for (const { name, shape } of parametersOf(testbed)) graph.initializer(name, weights.get(name)!, shape);
  const parts: ModelParts = { testbed, graph, options, length: graph.sizes(tokens, 1, 2) };
  const tables = positionTables(parts);
  let x = embed(parts, tokens);
  for (const [layer, text] of testbed.attention.entries()) {
    const name = `layers.${layer}`;
    const attend = (from: Value) => attention(parts, from, { name: `${name}.attention`, text, tables });
    x = residual(parts, x, { apply: attend, norm: `${name}.norm1` });
    x = residual(parts, x, { apply: (from) => mlp(graph, from, `${name}.mlp`), norm: `${name}.norm2` });
  }
  if (testbed.normPlacement === 'before') x = norm(parts, x, 'norm');
  const logits = linear(graph, x, 'head');
  return graph.model([{ name: 'logits', value: logits, type: 'f32', shape: ['batch', 'length', testbed.classes] }]);
}

function embed({ graph, testbed, length }: ModelParts, tokens: Value): Value {
  const { position, length: longest, width } = testbed;
  const embedded = graph.op('Gather', ['embed', tokens]);
  if (position === 'learned') return graph.op('Add', [embedded, slicedRows(graph, 'position', length)]);
  if (position !== 'sinusoidal') return embedded;
  const table = graph.initializer('sinusoidal', Float32Array.from(sinusoidalTable(longest, width)), [longest, width]);
  return graph.op('Add', [embedded, slicedRows(graph, table, length)]);
}

function residual(parts: ModelParts, x: Value, branch: { apply: (from: Value) => Value; norm: string }): Value {
  const { graph, testbed } = parts;
  if (testbed.normPlacement === 'before') return graph.op('Add', [x, branch.apply(norm(parts, x, branch.norm))]);
  return norm(parts, graph.op('Add', [x, branch.apply(x)]), branch.norm);
}
