import { GraphBuilder } from '../../src/model/graph/graph-builder.ts';
import type { Value } from '../../src/model/graph/graph-builder.ts';
import { RandomStream } from '../../src/inputs/random.ts';
import { drawQueriesAndKeys, positionChannels } from './head-weights.ts';

/** The sizes of Whisper tiny's encoder (Radford et al. 2022): 1500 frames of 20 ms are 30 seconds. */
export const encoder = { bands: 80, width: 384, heads: 6, layers: 4, frames: 1500 } as const;

const { bands, width, heads, layers, frames } = encoder;
const headDim = width / heads;
const inner = 4 * width;

/** Standard deviation of what each layer's attention and MLP add to a state of deviation 1: positions stay visible to the last layer. */
const added = 0.25;

/**
 * An encoder with the shape of Whisper tiny's, as exporters write it (opset 17): log-mel `input_features` f32 `[batch, 80, windows]`, two
 * windows of 10 ms a frame, to `last_hidden_state` f32 `[batch, frames, 384]`. Unlike Whisper's it takes shorter sounds, too. Its weights are
 * drawn from `seed`, not trained: queries and keys so that heads attend like those of `calibrated` inputs, everything else normal.
 */
export function buildEncoder(seed: number): Uint8Array {
  const parts: Parts = { graph: new GraphBuilder({ opset: 17 }), seed };
  const { graph } = parts;
  let states = embed(parts, graph.input('input_features', 'f32', ['batch', bands, 'windows']));
  for (let layer = 0; layer < layers; layer += 1) {
    const name = `layers.${layer}`;
    states = graph.op('Add', [states, attention(parts, norm(parts, states, `${name}.self_attn_layer_norm`), layer)]);
    states = graph.op('Add', [states, mlp(parts, norm(parts, states, `${name}.final_layer_norm`), name)]);
  }
  const value = norm(parts, states, 'layer_norm');
  return graph.model([{ name: 'last_hidden_state', value, type: 'f32', shape: ['batch', 'frames', width] }]);
}

interface Parts {
  readonly graph: GraphBuilder;
  readonly seed: number;
}

/** Two convolutions, the second of stride 2, and sinusoidal positions, `[batch, frames, width]`. */
function embed(parts: Parts, features: Value): Value {
  const { graph } = parts;
  const first = convolution(parts, features, { name: 'conv1', channels: bands, stride: 1, deviation: 1.5 / Math.sqrt(3 * bands) });
  const second = convolution(parts, first, { name: 'conv2', channels: width, stride: 2, deviation: 2 / Math.sqrt(3 * width) });
  const states = graph.op('Transpose', [second], { perm: [0, 2, 1] });
  const table = graph.initializer('embed_positions.weight', positionTable(), [frames, width]);
  const positions = graph.op('Slice', [table, graph.int([0]), graph.sizes(states, 1, 2), graph.int([0])]);
  return graph.op('Add', [states, positions]);
}

/** Sines in the first half of the channels, cosines in the second, angles from 1 to 1/10000 a frame (as Whisper's). */
function positionTable(): Float32Array {
  const half = width / 2;
  return Float32Array.from({ length: frames * width }, (_, at) => {
    const channel = at % width;
    const angle = Math.floor(at / width) * 10_000 ** (-(channel % half) / (half - 1));
    return channel < half ? Math.sin(angle) : Math.cos(angle);
  });
}

interface Convolution {
  readonly name: string;
  readonly channels: number;
  readonly stride: number;
  readonly deviation: number;
}

function convolution(parts: Parts, from: Value, { name, channels, stride, deviation }: Convolution): Value {
  const { graph } = parts;
  const weights = drawn(parts, `${name}.weight`, width * channels * 3, deviation);
  if (stride > 1)
    for (const channel of positionChannels(width, headDim)) weights.fill(0, channel * channels * 3, (channel + 1) * channels * 3);
  const weight = graph.initializer(`${name}.weight`, weights, [width, channels, 3]);
  const bias = graph.initializer(`${name}.bias`, new Float32Array(width), [width]);
  return gelu(graph, graph.op('Conv', [from, weight, bias], { kernel_shape: [3], pads: [1, 1], strides: [stride] }));
}

function attention(parts: Parts, states: Value, layer: number): Value {
  const { graph, seed } = parts;
  const name = `layers.${layer}.self_attn`;
  const { query, queryBias, key } = drawQueriesAndKeys({ width, heads, layer, seed });
  const queries = product(graph, states, graph.initializer(`${name}.q_proj.weight`, query, [width, width]));
  const biased = graph.op('Add', [queries, graph.initializer(`${name}.q_proj.bias`, queryBias, [width])]);
  const keys = product(graph, states, graph.initializer(`${name}.k_proj.weight`, key, [width, width]));
  const values = linear(parts, states, { name: `${name}.v_proj`, from: width, to: width, deviation: 1 / Math.sqrt(width) });
  const scaled = graph.op('Mul', [biased, graph.float(1 / Math.sqrt(headDim))]);
  const split = (from: Value, perm: readonly number[]) =>
    graph.op('Transpose', [graph.op('Reshape', [from, graph.int([0, 0, heads, headDim])])], { perm });
  const logits = product(graph, split(scaled, [0, 2, 1, 3]), split(keys, [0, 2, 3, 1]));
  const attended = product(graph, graph.op('Softmax', [logits], { axis: -1 }), split(values, [0, 2, 1, 3]));
  const joined = graph.op('Reshape', [graph.op('Transpose', [attended], { perm: [0, 2, 1, 3] }), graph.int([0, 0, width])]);
  return linear(parts, joined, { name: `${name}.out_proj`, from: width, to: width, deviation: added / Math.sqrt(width), clean: true });
}

function mlp(parts: Parts, states: Value, name: string): Value {
  const wide = linear(parts, states, { name: `${name}.fc1`, from: width, to: inner, deviation: 1 / Math.sqrt(width) });
  const deviation = added / Math.sqrt(inner / 2);
  return linear(parts, gelu(parts.graph, wide), { name: `${name}.fc2`, from: inner, to: width, deviation, clean: true });
}

interface Linear {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly deviation: number;
  /** Whether nothing is written to the channels that heads read positions from. */
  readonly clean?: boolean;
}

function linear(parts: Parts, states: Value, { name, from, to, deviation, clean = false }: Linear): Value {
  const { graph } = parts;
  const weights = drawn(parts, `${name}.weight`, from * to, deviation);
  if (clean)
    for (const channel of positionChannels(width, headDim)) for (let row = 0; row < from; row += 1) weights[row * to + channel] = 0;
  const weight = graph.initializer(`${name}.weight`, weights, [from, to]);
  return graph.op('Add', [product(graph, states, weight), graph.initializer(`${name}.bias`, new Float32Array(to), [to])]);
}

function drawn({ seed }: Parts, name: string, count: number, deviation: number): Float32Array {
  return new RandomStream(seed, `encoder/${name}`).fillNormal(new Float32Array(count), deviation);
}

function norm({ graph }: Parts, states: Value, name: string): Value {
  const weight = graph.initializer(`${name}.weight`, new Float32Array(width).fill(1), [width]);
  const bias = graph.initializer(`${name}.bias`, new Float32Array(width), [width]);
  return graph.op('LayerNormalization', [states, weight, bias], { axis: -1, epsilon: { float: 1e-5 } });
}

function product(graph: GraphBuilder, a: Value, b: Value): Value {
  return graph.op('MatMul', [a, b]);
}

/** x·(1 + erf(x/√2))/2. */
function gelu(graph: GraphBuilder, x: Value): Value {
  const erf = graph.op('Erf', [graph.op('Div', [x, graph.float(Math.SQRT2)])]);
  return graph.op('Mul', [graph.op('Mul', [x, graph.op('Add', [erf, graph.float(1)])]), graph.float(0.5)]);
}
