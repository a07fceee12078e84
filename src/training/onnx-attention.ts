import { AttnswapError } from '../contract/errors.ts';
import { elementTypes } from '../model/graph/element-types.ts';
import type { Value } from '../model/graph/graph-builder.ts';
import { spliceNodes } from '../model/graph/splice.ts';
import { findVariant, parseVariant } from '../variants/index.ts';
import type { VariantSpec } from '../variants/index.ts';
import { lengthsOf } from './model-parts.ts';
import type { ExportOptions, ModelParts, Prefix } from './model-parts.ts';
import { linear, slicedRows } from './onnx-layers.ts';
import { alibiSlopes, anglesOf } from './positions.ts';
import { attentionDim, parameterAt } from './testbed.ts';
import type { Site } from './testbed.ts';

/** What positions of a sequence's layers read: cosines and sines of rotary or axial ones `[length, headDim/2]`, or ALiBi's positions, f32 `[length, 1]`. */
export type PositionTables = { readonly cos: Value; readonly sin: Value } | { readonly position: Value } | undefined;

export function positionTables(parts: ModelParts, prefix: Prefix): PositionTables {
  const { graph, testbed } = parts;
  const { position, width, heads } = testbed;
  const { length, longest } = lengthsOf(parts, prefix);
  const angles = anglesOf(testbed, longest, width / heads);
  if (angles !== undefined) {
    const table = (name: string, of: (angle: number) => number) =>
      slicedRows(graph, graph.initializer(name, Float32Array.from(angles, of), [longest, width / heads / 2]), length);
    return { cos: table(`${prefix}rotary.cos`, Math.cos), sin: table(`${prefix}rotary.sin`, Math.sin) };
  }
  if (position !== 'alibi') return undefined;
  const range = graph.op('Range', [graph.int(0), graph.op('Squeeze', [length]), graph.int(1)]);
  const counted = graph.op('Cast', [range], { to: elementTypes.f32 });
  return { position: graph.op('Unsqueeze', [counted, graph.int([1])]) };
}

/** Where the keys and values of some positions alone come from. */
export interface Among {
  /** The states of all positions, `[batch, length, width]`. */
  readonly x: Value;
  /** Of the positions that ask, int64 `[batch, some]`. */
  readonly places: Value;
}

interface AttentionPlace {
  readonly site: Site;
  readonly tables: PositionTables;
  /** What the encoder gives: cross-attention reads keys and values from it. */
  readonly memory: Value | undefined;
  /** Absent where every position asks and is asked. */
  readonly among?: Among | undefined;
}

/**
 * attend, or cross: projections, positions, the adapter's kernel, the output's projection. `x` and the result are `[batch, length, width]`, or
 * `[batch, some, width]`.
 */
export function attention(parts: ModelParts, x: Value, place: AttentionPlace): Value {
  const { graph, testbed } = parts;
  const { width, heads } = testbed;
  const { site, memory, among } = place;
  const projected = (part: string, from: Value) => {
    const split = graph.op('Reshape', [linear(parts, from, `${site.name}.${part}`), graph.int([0, 0, heads, width / heads])]);
    return graph.op('Transpose', [split], { perm: [0, 2, 1, 3] });
  };
  const read = site.kind === 'cross' ? memory! : (among?.x ?? x);
  const placed = placeHeads(parts, { query: projected('query', x), key: projected('key', read), value: projected('value', read) }, place);
  if (parts.options.showHeads === true) showHeads(parts, placed, site);
  const output = appendKernel(parts, placed, place);
  const own = attentionDim(testbed) === width / heads ? output : slicedLast(parts, output, 0, width / heads);
  const joined = graph.op('Reshape', [graph.op('Transpose', [own], { perm: [0, 2, 1, 3] }), graph.int([0, 0, width])]);
  return linear(parts, joined, `${site.name}.output`);
}

interface Heads {
  readonly query: Value;
  readonly key: Value;
  readonly value: Value;
}

function showHeads({ testbed, shown }: ModelParts, heads: Heads, { name, kind }: Site): void {
  const [queries, keys] = [kind === 'encoder' ? 'source' : 'length', kind === 'self' ? 'length' : 'source'];
  const shape = (length: string) => ['batch', testbed.heads, length, attentionDim(testbed)];
  for (const part of ['query', 'key', 'value'] as const)
    shown.push({ name: `${name}.${part}.heads`, value: heads[part], type: 'f32', shape: shape(part === 'query' ? queries : keys) });
}

function placeHeads(parts: ModelParts, { query, key, value }: Heads, { site, tables, among }: AttentionPlace): Heads {
  if (tables === undefined || site.kind === 'cross') return { query, key, value };
  const { graph, testbed } = parts;
  if ('cos' in tables) {
    const asked = (table: Value) =>
      among === undefined ? table : graph.op('Unsqueeze', [graph.op('Gather', [table, among.places]), graph.int([1])]);
    return { query: turned(parts, query, { cos: asked(tables.cos), sin: asked(tables.sin) }), key: turned(parts, key, tables), value };
  }
  const { heads, width } = testbed;
  // The kernel multiplies by c = 1/√headDim: divided by it beforehand, the slope comes out whole.
  const slopes = [...alibiSlopes(heads)].map((slope) => slope * Math.sqrt(width / heads));
  const slope = graph.op('Reshape', [graph.float(slopes), graph.int([1, heads, 1, 1])]);
  const columnOf = (tensor: Value) => graph.op('Concat', [graph.sizes(tensor, 0, 3), graph.int([1])], { axis: 0 });
  const widened = (tensor: Value, last: Value) => graph.op('Concat', [tensor, graph.op('Expand', [last, columnOf(tensor)])], { axis: -1 });
  return { query: widened(query, slope), key: widened(key, tables.position), value: widened(value, graph.float(0)) };
}

/** Rotary positions in halves: dimension m turns with m + headDim/2. */
function turned(parts: ModelParts, tensor: Value, { cos, sin }: { cos: Value; sin: Value }): Value {
  const { graph, testbed } = parts;
  const dim = testbed.width / testbed.heads;
  const [low, high] = [slicedLast(parts, tensor, 0, dim / 2), slicedLast(parts, tensor, dim / 2, dim)];
  const times = (half: Value, factor: Value) => graph.op('Mul', [half, factor]);
  const turnedLow = graph.op('Sub', [times(low, cos), times(high, sin)]);
  const turnedHigh = graph.op('Add', [times(high, cos), times(low, sin)]);
  return graph.op('Concat', [turnedLow, turnedHigh], { axis: -1 });
}

function slicedLast({ graph }: ModelParts, tensor: Value, start: number, end: number): Value {
  return graph.op('Slice', [tensor, graph.int([start]), graph.int([end]), graph.int([-1])]);
}

function appendKernel(parts: ModelParts, heads: Heads, { site, among }: AttentionPlace): Value {
  const { graph, testbed, options } = parts;
  const { name, kind, attention: text } = site;
  const bias = among && testbed.causal ? laterKeys(parts, among) : undefined;
  const spec = parseVariant(text);
  const model = options.adapter.kernelGraph?.({
    variant: spec.variant,
    parameters: spec.parameters,
    kernel: kernelOf(spec, options),
    heads: testbed.heads,
    kvHeads: testbed.heads,
    headDim: attentionDim(testbed),
    causal: kind === 'self' && testbed.causal && among === undefined,
    selfAttention: kind !== 'cross' && among === undefined,
    masked: false,
    biased: bias !== undefined,
    dtype: 'f32',
    scale: 1 / Math.sqrt(testbed.width / testbed.heads),
    opset: graph.opset,
  });
  if (model === undefined || 'unsupported' in model)
    throw new AttnswapError(
      'UNSUPPORTED',
      `${name} (${text}): ${model?.unsupported ?? `${options.adapter.name} has no kernels for models`}`,
    );
  const gatePart = (part: string) => parameterAt(testbed, `${name}.gate.${part}`);
  const gate = { gate_u: gatePart('u'), gate_w: gatePart('w'), gate_b: gatePart('b') };
  const output = `${name}.attended`;
  const inputs = { ...heads, ...(bias !== undefined && { bias }), ...(findVariant(spec.variant).takesGate && gate) };
  graph.append(spliceNodes(model, `${name}.kernel/`, { ...inputs, output }));
  return output;
}

/** Less than any logit, and finite, as kernels require of a bias. */
const hidden = -1e30;

/** Causality of positions that ask alone, as a bias `[batch, 1, some, keys]`. */
function laterKeys({ graph, length }: ModelParts, { places }: Among): Value {
  const keys = graph.op('Range', [graph.int(0), graph.op('Squeeze', [length]), graph.int(1)]);
  const isLater = graph.op('Less', [graph.op('Unsqueeze', [places, graph.int([1, 3])]), keys]);
  return graph.op('Where', [isLater, graph.float(hidden), graph.float(0)]);
}

function kernelOf({ variant, kernel }: VariantSpec, { adapter, kernels }: ExportOptions): string {
  const chosen = kernel ?? kernels?.[variant] ?? adapter.kernels.find((known) => known.variant === variant)?.kernel;
  if (chosen !== undefined) return chosen;
  throw new AttnswapError('UNSUPPORTED', `the ${adapter.name} adapter has no kernel for ${variant}`);
}
