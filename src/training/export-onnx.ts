import { AttnswapError } from '../contract/errors.ts';
import { GraphBuilder, elementTypes } from '../model/graph/graph-builder.ts';
import type { Value } from '../model/graph/graph-builder.ts';
import { maximumNesting } from '../model/file/scan-protobuf.ts';
import { checkWeights } from './check-weights.ts';
import type { Weights } from './check-weights.ts';
import type { ExportOptions, ModelParts, Prefix } from './model-parts.ts';
import { attention, positionTables } from './onnx-attention.ts';
import type { PositionTables } from './onnx-attention.ts';
import { linear, mlp, norm, slicedRows } from './onnx-layers.ts';
import { lengthsOf } from './model-parts.ts';
import { sinusoidalTable } from './positions.ts';
import { normOf, parametersOf, sitesOf } from './testbed.ts';
import type { Testbed } from './testbed.ts';

/**
 * The trained testbed as an ONNX model, f32: input `tokens` int64 `[batch, length]`, both dynamic, length at most the testbed's, and with an encoder
 * `source` `[batch, source]`; output `logits` `[batch, length, classes]`. Weights are initializers under their parameters' names; attention is the adapter's kernel, one
 * a layer, so that the model is what a user's own would be: sites are found in it, swapped and measured. After an exit the layers that follow are in
 * an `If`: they run only where a position of the batch is left.
 * @throws INVALID_INPUTS for weights that are not this testbed's; UNSUPPORTED where the adapter lacks a kernel, or exits are too many
 */
export function exportTestbed(testbed: Testbed, weights: Weights, options: ExportOptions): Uint8Array {
  checkWeights(testbed, weights, 'weights');
  const { exits: _exits, ...withoutExits } = testbed;
  const built = options.showHeads === true ? withoutExits : testbed;
  checkExits(built);
  const graph = new GraphBuilder();
  const source = built.encoder && graph.input('source', 'i64', ['batch', 'source']);
  const tokens = graph.input('tokens', 'i64', ['batch', 'length']);
  for (const { name, shape } of parametersOf(testbed)) graph.initializer(name, weights.get(name)!, shape);
  const sourceLength = source && graph.sizes(source, 1, 2);
  const parts: ModelParts = { testbed: built, graph, options, length: graph.sizes(tokens, 1, 2), sourceLength, shown: [] };
  const memory = source && encoded(parts, source);
  const tables = positionTables(parts, '');
  const logits = answers(parts, embed(parts, tokens, ''), { tables, memory, layer: 0, exited: undefined });
  return graph.model([{ name: 'logits', value: logits, type: 'f32', shape: ['batch', 'length', testbed.classes] }, ...parts.shown]);
}

/** Each exit's branch lies in the one before, a kernel's own loop and a branch in that in the last. */
const mostExits = maximumNesting - 2;

function checkExits({ exits = [] }: Testbed): void {
  const count = exits.filter((confidence) => confidence !== null).length;
  if (count <= mostExits) return;
  throw new AttnswapError('UNSUPPORTED', `an exported model holds at most ${mostExits} exits, one in the branch of another; got ${count}`, {
    hint: 'use null for layers without an exit',
  });
}

/** How far a model is built. */
interface Progress {
  readonly tables: PositionTables;
  /** What the encoder gives. */
  readonly memory: Value | undefined;
  /** The layer that comes next. */
  readonly layer: number;
  /** Answers so far, `[batch, length, classes]`, and where they hold, bool `[batch, length, 1]`. */
  readonly exited: { readonly logits: Value; readonly sure: Value } | undefined;
}

/** What the model answers from `x`, the state before a layer: after an exit all that follows is in a branch, for when a position is left. */
function answers(parts: ModelParts, x: Value, { layer, exited, ...given }: Progress): Value {
  const { graph, testbed } = parts;
  const after = transformed(parts, x, { ...given, name: `layers.${layer}` });
  const [isLast, confidence] = [layer === testbed.attention.length - 1, testbed.exits?.[layer] ?? null];
  if (!isLast && confidence === null) return answers(parts, after, { ...given, layer: layer + 1, exited });
  const own = linear(graph, testbed.normPlacement === 'before' ? norm(parts, after, 'norm') : after, 'head');
  const logits = exited === undefined ? own : graph.op('Where', [exited.sure, exited.logits, own]);
  if (confidence === null) return logits;
  const reached = graph.op('GreaterOrEqual', [graph.maximum(graph.op('Softmax', [own], { axis: -1 }), [-1]), graph.float(confidence)]);
  const sure = exited === undefined ? reached : graph.op('Or', [exited.sure, reached]);
  // Not every runtime reduces bools.
  const least = graph.op('ReduceMin', [graph.op('Cast', [sure], { to: elementTypes.f32 })], { keepdims: 0 });
  return graph.branch(graph.op('Cast', [least], { to: elementTypes.bool }), 'f32', {
    yes: () => logits,
    no: (inner) => answers({ ...parts, graph: inner }, after, { ...given, layer: layer + 1, exited: { logits, sure } }),
  });
}

/** What the encoder makes of the source, `[batch, source, width]`. */
function encoded(parts: ModelParts, source: Value): Value {
  const { testbed } = parts;
  const tables = positionTables(parts, 'encoder.');
  const last = testbed.encoder!.attention.reduce(
    (x, _, layer) => transformed(parts, x, { tables, memory: undefined, name: `encoder.layers.${layer}` }),
    embed(parts, source, 'encoder.'),
  );
  return testbed.normPlacement === 'before' ? norm(parts, last, 'encoder.norm') : last;
}

/** The state after the layer `name`. */
function transformed(parts: ModelParts, x: Value, { tables, memory, name }: Pick<Progress, 'tables' | 'memory'> & { name: string }): Value {
  const attended = sitesOf(parts.testbed)
    .filter((site) => site.name.startsWith(`${name}.`))
    .reduce((before, site) => {
      const apply = (from: Value) => attention(parts, from, { site, tables, memory });
      return residual(parts, before, { apply, norm: normOf(site) });
    }, x);
  return residual(parts, attended, { apply: (from) => mlp(parts.graph, from, `${name}.mlp`), norm: `${name}.norm2` });
}

function embed(parts: ModelParts, tokens: Value, prefix: Prefix): Value {
  const { graph, testbed } = parts;
  const { position, width } = testbed;
  const { length, longest } = lengthsOf(parts, prefix);
  const embedded = graph.op('Gather', ['embed', tokens]);
  if (position === 'learned') return graph.op('Add', [embedded, slicedRows(graph, `${prefix}position`, length)]);
  if (position !== 'sinusoidal') return embedded;
  const table = graph.initializer(`${prefix}sinusoidal`, Float32Array.from(sinusoidalTable(longest, width)), [longest, width]);
  return graph.op('Add', [embedded, slicedRows(graph, table, length)]);
}

function residual(parts: ModelParts, x: Value, branch: { apply: (from: Value) => Value; norm: string }): Value {
  const { graph, testbed } = parts;
  if (testbed.normPlacement === 'before') return graph.op('Add', [x, branch.apply(norm(parts, x, branch.norm))]);
  return norm(parts, graph.op('Add', [x, branch.apply(x)]), branch.norm);
}
