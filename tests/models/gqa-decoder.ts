import type { Tensors } from '../../src/contract/tensor.ts';
import { tensorOf } from '../../src/inputs/model-inputs.ts';
import { RandomStream } from '../../src/inputs/random.ts';
import { elementTypes } from '../../src/model/graph/element-types.ts';
import { GraphBuilder } from '../../src/model/graph/graph-builder.ts';
import type { Value } from '../../src/model/graph/graph-builder.ts';

export const size = { layers: 2, heads: 4, kvHeads: 2, headDim: 16, vocabulary: 60, positions: 256 } as const;
const hidden = size.heads * size.headDim;

/** What is wrong with a decoder's cache, of decoders that tests must catch. */
export const faults = ['cache one off', 'rotation without the past', 'present rounded', 'present of another layer'] as const;
export type Fault = (typeof faults)[number];

/**
 * A decoder as ONNX Runtime GenAI's builder writes it: GroupQueryAttention with past, rotation and lengths from the mask. Inputs `input_ids`
 * `[batch, sequence]`, `attention_mask` `[batch, past + sequence]` and `past_key_values.<layer>.key` and `.value`; outputs `logits` and
 * `present.<layer>.key` and `.value`. With a `capacity` the cache is a buffer of so many tokens.
 */
export function build({ seed = 1, fault, capacity }: { seed?: number; fault?: Fault; capacity?: number } = {}): Uint8Array {
  const graph = new GraphBuilder({ opset: 18 });
  const weight = (name: string, rows: number, columns: number, deviation = 1 / Math.sqrt(rows)) =>
    graph.initializer(name, new RandomStream(seed, name).fillNormal(new Float32Array(rows * columns), deviation), [rows, columns]);
  const ids = graph.input('input_ids', 'i64', ['batch', 'sequence']);
  const mask = graph.input('attention_mask', 'i64', ['batch', 'past + sequence']);
  const counts = graph.op('ReduceSum', [mask, graph.int([1])], { keepdims: 0 });
  const last = graph.op('Sub', [counts, graph.int(fault === 'cache one off' ? 2 : 1)]);
  const shared: Shared = {
    lengths: graph.op('Cast', [last], { to: elementTypes.i32 }),
    total: graph.op('Cast', [graph.sizes(mask, 1, 2)], { to: elementTypes.i32 }),
    cos: table(graph, 'cos', Math.cos),
    sin: table(graph, 'sin', Math.sin),
    positions: fault === 'rotation without the past' ? fromZero(graph, ids) : undefined,
  };
  const embedding = weight('embedding', size.vocabulary, hidden, 1);
  let states = graph.op('Gather', [embedding, ids], { axis: 0 });
  const present: Array<readonly [key: Value, value: Value]> = [];
  for (let layer = 0; layer < size.layers; layer++) {
    const past = (['key', 'value'] as const).map((part) =>
      graph.input(`past_key_values.${layer}.${part}`, 'f32', ['batch', size.kvHeads, capacity ?? 'past', 'kv_cache_dim']),
    );
    const kvWidth = size.kvHeads * size.headDim;
    const parts = [hidden, kvWidth, kvWidth].map((width, at) => graph.op('MatMul', [states, weight(`layer${layer}.${at}`, hidden, width)]));
    const inputs = [...parts, ...past, shared.lengths, shared.total, shared.cos, shared.sin];
    const attributes = { num_heads: size.heads, kv_num_heads: size.kvHeads, do_rotary: 1 };
    const [attended = '', key = '', value = ''] = graph.ops(
      'GroupQueryAttention',
      shared.positions === undefined ? inputs : [...inputs, shared.positions],
      attributes,
      3,
    );
    present.push([key, value]);
    states = graph.op('Add', [states, graph.op('MatMul', [attended, weight(`layer${layer}.output`, hidden, hidden)])]);
  }
  const logits = graph.op('MatMul', [states, weight('head', hidden, size.vocabulary)]);
  const handed = present.map((pair, layer) => {
    const [key, value] = fault === 'present of another layer' ? present[1 - layer]! : pair;
    // One bit in a float of 24.
    return [fault === 'present rounded' && layer === 0 ? graph.op('Mul', [key, graph.float(1 + 2 ** -23)]) : key, value] as const;
  });
  return graph.model([
    { name: 'logits', value: logits, type: 'f32' },
    ...handed.flatMap(([key, value], layer) => [
      { name: `present.${layer}.key`, value: key, type: 'f32' as const },
      { name: `present.${layer}.value`, value, type: 'f32' as const },
    ]),
  ]);
}

interface Shared {
  readonly lengths: Value;
  readonly total: Value;
  readonly cos: Value;
  readonly sin: Value;
  readonly positions: Value | undefined;
}

function table(graph: GraphBuilder, name: string, of: (angle: number) => number): Value {
  const width = size.headDim / 2;
  const angles = Float32Array.from({ length: size.positions * width }, (_, at) =>
    of(Math.floor(at / width) / 100 ** ((at % width) / width)),
  );
  return graph.initializer(name, angles, [size.positions, width]);
}

/** `[1, sequence]`: 0, 1, … */
function fromZero(graph: GraphBuilder, ids: Value): Value {
  const count = graph.op('Reshape', [graph.sizes(ids, 1, 2), graph.int([])]);
  return graph.op('Unsqueeze', [graph.op('Range', [graph.int(0), count, graph.int(1)]), graph.int([0])]);
}

/** A prompt of drawn tokens behind an empty cache, with room for as many tokens. */
export function prompt(length: number, seed = 1, room = 0): Tensors {
  const stream = new RandomStream(seed, 'prompt');
  const ids = Array.from({ length }, () => Math.floor(size.vocabulary * stream.uniform()));
  const parts = Array.from({ length: size.layers }, (_, layer) => [
    `past_key_values.${layer}.key`,
    `past_key_values.${layer}.value`,
  ]).flat();
  return {
    input_ids: tensorOf('int64', [1, length], ids),
    attention_mask: tensorOf(
      'int64',
      [1, length],
      ids.map(() => 1),
    ),
    ...Object.fromEntries(
      parts.map((name) => [
        name,
        tensorOf('float32', [1, size.kvHeads, room, size.headDim], new Float64Array(size.kvHeads * room * size.headDim)),
      ]),
    ),
  };
}
