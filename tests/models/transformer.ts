import { size } from './architecture.ts';
import type { Architecture, LayerPlan } from './architecture.ts';
import { GraphWriter } from './graph-writer.ts';
import type { Exporter, Value } from './graph-writer.ts';
import { activate, linear as plainLinear, normalise } from './layers.ts';
import { drawWeights } from './weights.ts';
import type { Affine, AttentionWeights, LayerWeights, Norm, Weights } from './weights.ts';

export interface AttentionPlace<Shared> {
  /** States that queries are made of, `[batch, queries, hidden]`. */
  readonly hidden: Value;
  /** States that keys and values are made of, `[batch, keys, hidden]`. */
  readonly memory: Value;
  readonly weights: AttentionWeights;
  readonly plan: LayerPlan;
  /** Number of the layer. */
  readonly index: number;
  readonly cross: boolean;
  readonly shared: Shared;
}

/** How an exporter writes a transformer: everything but attention is alike. */
export interface Recipe<Shared> {
  readonly exporter: Exporter;
  readonly architecture: Architecture;
  readonly floatType?: 'f32' | 'f16';
  /** Declares masks and makes what all layers share. `input` is the tokens' or states' input. */
  prepare(g: GraphWriter, input: Value, weights: Weights): Shared;
  /** Numbers of the tokens' positions; by default a slice of a stored list, as BERT has it. */
  positions?(g: GraphWriter, input: Value, shared: Shared): Value;
  /** One attention with its projections, `[batch, queries, hidden]`. */
  attend(g: GraphWriter, place: AttentionPlace<Shared>): Value;
  linear?(g: GraphWriter, x: Value, affine: Affine): Value;
  /** The second sequence's states, where there is one. */
  memory?(shared: Shared): Value;
  /** Declares outputs besides the first. */
  finish?(g: GraphWriter, shared: Shared): void;
  readonly inputName?: string;
  readonly outputName?: string;
}

/** Writes the model. Dynamic: `batch`, `sequence`. */
export function buildTransformer<Shared>(recipe: Recipe<Shared>, seed: number): Uint8Array {
  const { architecture, floatType = 'f32' } = recipe;
  const g = new GraphWriter(recipe.exporter, floatType);
  const weights = drawWeights(architecture, seed);
  const tokens = architecture.input === 'tokens';
  const input = tokens
    ? g.input(recipe.inputName ?? 'input_ids', 'i64', ['batch', 'sequence'])
    : g.input(recipe.inputName ?? 'x', floatType, ['batch', 'sequence', size.hidden]);
  const shared = recipe.prepare(g, input, weights);
  const table = tokens ? g.weight('embeddings.word.weight', [size.vocabulary, size.hidden], weights.embedding, { use: 'Gather' }) : '';
  let states = tokens ? embed(g, { recipe, shared, input, table, weights }) : input;
  weights.layers.forEach((layer, index) => {
    states = writeLayer(g, { recipe, shared, layer, index, states });
  });
  g.scope = '';
  if (architecture.normPlace === 'before') states = normalise(g, architecture.norm, states, weights.lastNorm);
  if (architecture.head) states = g.op('MatMul', [states, g.op('Transpose', [table], { perm: [1, 0] })]);
  const name = recipe.outputName ?? (architecture.head ? 'logits' : 'last_hidden_state');
  g.output(name, states, floatType, ['batch', 'sequence', architecture.head ? size.vocabulary : size.hidden]);
  recipe.finish?.(g, shared);
  return g.bytes();
}

interface Embedding<Shared> {
  readonly recipe: Recipe<Shared>;
  readonly shared: Shared;
  readonly input: Value;
  readonly table: Value;
  readonly weights: Weights;
}

function embed<Shared>(g: GraphWriter, { recipe, shared, input, table, weights }: Embedding<Shared>): Value {
  g.scope = '/embeddings';
  const words = g.op('Gather', [table, input], { axis: 0 });
  if (recipe.architecture.rotary) return words;
  const ids = recipe.positions === undefined ? storedPositions(g, input) : recipe.positions(g, input, shared);
  const places = g.weight('embeddings.position.weight', [size.positions, size.hidden], weights.positions, { use: 'Gather' });
  return g.op('Add', [words, g.op('Gather', [places, ids], { axis: 0 })]);
}

/** The first of the numbers 0, 1, … that the model stores, as many as there are tokens: `[1, sequence]`. */
function storedPositions(g: GraphWriter, input: Value): Value {
  const numbers = Array.from({ length: size.positions }, (_, at) => at);
  const stored = g.weight('embeddings.position_ids', [1, size.positions], numbers, { type: 'i64' });
  const length = g.op('Gather', [g.op('Shape', [input]), g.int(1)], { axis: 0 });
  return g.op('Slice', [stored, g.int([0]), g.unsqueeze(length, [0]), g.int([1]), g.int([1])]);
}

interface LayerPlace<Shared> {
  readonly recipe: Recipe<Shared>;
  readonly shared: Shared;
  readonly layer: LayerWeights;
  readonly index: number;
  readonly states: Value;
}

function writeLayer<Shared>(g: GraphWriter, { recipe, shared, layer, index, states }: LayerPlace<Shared>): Value {
  const { architecture, linear = plainLinear } = recipe;
  const plan = architecture.layers[index]!;
  const place = { plan, index, shared };
  const part = (scope: string, norm: Norm, given: Value, write: (hidden: Value) => Value): Value => {
    g.scope = `/encoder/layer.${index}/${scope}`;
    if (architecture.normPlace === 'before') return g.op('Add', [given, write(normalise(g, architecture.norm, given, norm))]);
    return normalise(g, architecture.norm, g.op('Add', [write(given), given]), norm);
  };
  let result = part('attention/self', layer.selfNorm, states, (hidden) =>
    recipe.attend(g, { ...place, hidden, memory: hidden, weights: layer.self, cross: false }),
  );
  const memory = recipe.memory?.(shared);
  if (memory !== undefined)
    result = part('crossattention/self', layer.crossNorm, result, (hidden) =>
      recipe.attend(g, { ...place, hidden, memory, weights: layer.cross, cross: true }),
    );
  return part('intermediate', layer.innerNorm, result, (hidden) =>
    linear(g, activate(g, architecture.activation, linear(g, hidden, layer.up)), layer.down),
  );
}
