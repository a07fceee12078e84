import { elementTypes } from '../model/graph/element-types.ts';
import { GraphBuilder } from '../model/graph/graph-builder.ts';
import type { Value } from '../model/graph/graph-builder.ts';
import { checkWeights } from './check-weights.ts';
import type { Weights } from './check-weights.ts';
import type { ExportOptions, ModelParts, Prefix } from './model-parts.ts';
import { attention, positionTables } from './onnx-attention.ts';
import type { Among, PositionTables } from './onnx-attention.ts';
import { anyStays, stayingPositions, stayingSequences, unsure } from './onnx-exits.ts';
import type { Remaining, Selected } from './onnx-exits.ts';
import { head, mlp, norm, slicedRows } from './onnx-layers.ts';
import { lengthsOf } from './model-parts.ts';
import { sinusoidalTable } from './positions.ts';
import { exitsByPosition, exitsOf, normOf, parameterAt, parametersOf, sitesOf } from './testbed.ts';
import type { Testbed } from './testbed.ts';

/**
 * The trained testbed as an ONNX model, f32: input `tokens` int64 `[batch, length]`, both dynamic, length at most the testbed's, and with an encoder
 * `source` `[batch, source]`; output `logits` `[batch, length, classes]`. Weights are initializers under their parameters' names; attention is the
 * adapter's kernel, one a site, so that the model is what a user's own would be: sites are found in it, swapped and measured. With exits there is an
 * input `asked` bool `[batch, length]`, true where an answer is wanted, and the layers behind an exit are in an `If`: they run only where somebody
 * stays, and only for those who do.
 * @throws INVALID_INPUTS for weights that are not this testbed's; UNSUPPORTED where the adapter lacks a kernel
 */
export function exportTestbed(testbed: Testbed, weights: Weights, options: ExportOptions): Uint8Array {
  checkWeights(testbed, weights, 'weights');
  const { exits: _exits, ...withoutExits } = testbed;
  const built = options.showHeads === true ? withoutExits : testbed;
  const graph = new GraphBuilder();
  const source = built.encoder && graph.input('source', 'i64', ['batch', 'source']);
  const tokens = graph.input('tokens', 'i64', ['batch', 'length']);
  for (const { name, shape } of parametersOf(testbed).filter(({ name }) => isRead(built, name)))
    graph.initializer(name, weights.get(name)!, shape);
  const sourceLength = source && graph.sizes(source, 1, 2);
  const parts: ModelParts = { testbed: built, graph, options, length: graph.sizes(tokens, 1, 2), sourceLength, shown: [] };
  const asked = exitsOf(built).length === 1 ? undefined : graph.input('asked', 'bool', ['batch', 'length']);
  const memory = source && encoded(parts, source);
  const given = { tables: positionTables(parts, ''), memory };
  const logits = head(parts, lastStates(parts, embed(parts, tokens, ''), { given, asked }));
  return graph.model([{ name: 'logits', value: logits, type: 'f32', shape: ['batch', 'length', testbed.classes] }, ...parts.shown]);
}

/** Whether the model reads a parameter: heads of exits that are not taken are left out. */
function isRead(testbed: Testbed, name: string): boolean {
  if (!/^layers\.\d+\.exit\./.test(name)) return true;
  const early = exitsOf(testbed).slice(0, -1);
  return early.some(({ layers }) => name.startsWith(parameterAt(testbed, `layers.${layers - 1}.exit.`)));
}

/** What every layer reads besides the states. */
interface Given {
  readonly tables: PositionTables;
  /** What the encoder gives. */
  readonly memory: Value | undefined;
}

/** What the encoder makes of the source, `[batch, source, width]`. */
function encoded(parts: ModelParts, source: Value): Value {
  const { testbed } = parts;
  const given = { tables: positionTables(parts, 'encoder.'), memory: undefined };
  const last = testbed.encoder!.attention.reduce(
    (x, _, layer) => transformed(parts, x, { given, name: `encoder.layers.${layer}` }),
    embed(parts, source, 'encoder.'),
  );
  return testbed.normPlacement === 'before' ? norm(parts, last, 'encoder.norm') : last;
}

/** The states that answers are given from. */
function lastStates(parts: ModelParts, x: Value, { given, asked }: { given: Given; asked: Value | undefined }): Value {
  const { graph, testbed } = parts;
  const [first, ...further] = exitsOf(testbed);
  const all = { rows: x, put: (_into: Value, rows: Value) => rows };
  const early = throughLayers(parts, x, all, { given, from: 0, to: first!.layers });
  if (asked === undefined) return early.x;
  const open = graph.op('Cast', [asked], { to: elementTypes.f32 });
  let remaining: Remaining = { x: early.x, staying: unsure(parts, early.rows, open, first!) };
  let from = first!.layers;
  for (const exit of further) {
    const { layers: to } = exit;
    const [before, start] = [remaining, from];
    const isLast = to === testbed.attention.length;
    const [after = '', staying = ''] = graph.branches(anyStays(graph, before), 'f32', {
      yes(inner) {
        const own = { ...parts, graph: inner };
        const selected = exitsByPosition(testbed) ? stayingPositions(inner, before) : stayingSequences(inner, before, open);
        const { x: states, rows } = throughLayers(own, before.x, selected, { given, from: start, to });
        return isLast ? [states] : [states, selected.put(before.staying, unsure(own, rows, selected.open, exit))];
      },
      no: () => (isLast ? [before.x] : [before.x, before.staying]),
    });
    remaining = { x: after, staying };
    from = to;
  }
  return remaining.x;
}

/** The states of all, and the selected rows of them, after some layers that the selected alone go through. */
function throughLayers(
  parts: ModelParts,
  x: Value,
  { rows: first, alone, put }: Pick<Selected, 'rows' | 'alone' | 'put'>,
  { given, from, to }: { given: Given; from: number; to: number },
): { readonly x: Value; readonly rows: Value } {
  let [states, rows] = [x, first];
  for (let layer = from; layer < to; layer++) {
    const after = transformed(parts, rows, { given, name: `layers.${layer}`, among: alone && { x: states, places: alone.places } });
    rows = alone === undefined ? after : parts.graph.op('Where', [alone.stays, after, rows]);
    if (alone !== undefined || layer === to - 1) states = put(states, rows);
  }
  return { x: states, rows };
}

interface LayerOptions {
  readonly given: Given;
  /** What the names of its parameters begin with. */
  readonly name: string;
  /** The states that keys and values come from, where they are not the rows' own. */
  readonly among?: Among | undefined;
}

/** The rows after a layer. */
function transformed(parts: ModelParts, rows: Value, { given, name, among }: LayerOptions): Value {
  const isBefore = parts.testbed.normPlacement === 'before';
  const attended = sitesOf(parts.testbed)
    .filter((site) => site.name.startsWith(`${name}.`))
    .reduce((before, site) => {
      const keys = among && isBefore ? { ...among, x: norm(parts, among.x, normOf(site)) } : among;
      const apply = (from: Value) => attention(parts, from, { site, ...given, among: keys });
      return residual(parts, before, { apply, norm: normOf(site) });
    }, rows);
  return residual(parts, attended, { apply: (from) => mlp(parts, from, `${name}.mlp`), norm: `${name}.norm2` });
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
