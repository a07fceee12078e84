import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
} from 'onnx-buf';
import type { GraphProto } from 'onnx-buf';
import { copyMessage } from '../../src/model/graph/copy-message.ts';
import { architecture, plainLayer, size } from './architecture.ts';
import { torchScript } from './exporters.ts';
import type { GraphWriter, Value } from './graph-writer.ts';
import { linear } from './layers.ts';
import { tensorProto, valueInfo } from './protos.ts';
import * as bert from './torchscript-bert.ts';
import { additiveMask, leastFloat, mergeHeads, shapeOf, sizeOf, splitHeads } from './torch-shapes.ts';
import { buildTransformer } from './transformer.ts';
import type { AttentionPlace } from './transformer.ts';

// An encoder and its decoder as Optimum writes them, each to a file of its own: the decoder without a past, with one, or both in the branches
// of an If. Each layer of the decoder attends to its own tokens, and then to the encoder's states.

const layer = { ...plainLayer, causal: true, padded: false };
const design = architecture({ layers: [layer, layer], cross: true, head: true });

/** Sites of the encoder, and of each form of the decoder. */
export const sites = { encoder: 2, decoder: 4 } as const;

interface Pair {
  readonly key: Value;
  readonly value: Value;
}

interface Shared {
  readonly states: Value;
  /** `[batch, 1, 1, keys]` of the encoder. */
  readonly padding: Value;
  /** Of each layer; none without a past. */
  readonly past: ReadonlyArray<{ readonly own: Pair; readonly encoder: Pair }>;
  readonly present: Array<{ readonly own: Pair; readonly encoder?: Pair }>;
}

const parts = (name: string): readonly [string, string] => [`${name}.key`, `${name}.value`];

/** The files of one model by name. */
export function files(forms: ReadonlyArray<'decoder' | 'with past' | 'merged'> = ['decoder', 'with past']): Record<string, Uint8Array> {
  const [first, cached] = [decoder(false), decoder(true)];
  return {
    'encoder_model.onnx': bert.build({ seed: 1 }),
    ...(forms.includes('decoder') && { 'decoder_model.onnx': first }),
    ...(forms.includes('with past') && { 'decoder_with_past_model.onnx': cached }),
    ...(forms.includes('merged') && { 'decoder_model_merged.onnx': merged(first, cached) }),
  };
}

function decoder(cached: boolean): Uint8Array {
  return buildTransformer<Shared>(
    {
      exporter: torchScript(14),
      architecture: design,
      prepare: (g) => prepare(g, cached),
      positions,
      attend,
      memory: ({ states }) => states,
      finish,
    },
    2,
  );
}

function prepare(g: GraphWriter, cached: boolean): Shared {
  const padding = additiveMask(g, g.input('encoder_attention_mask', 'i64', ['batch', 'encoder_sequence']));
  const pair = (name: string, length: string): Pair => {
    const [key, value] = parts(name).map((each) => g.input(each, 'f32', ['batch', size.heads, length, size.headDim])) as [Value, Value];
    return { key, value };
  };
  const past = (cached ? design.layers : []).map((_, index) => ({
    own: pair(`past_key_values.${index}.decoder`, 'past_sequence'),
    encoder: pair(`past_key_values.${index}.encoder`, 'encoder_sequence'),
  }));
  const states = cached ? '' : g.input('encoder_hidden_states', 'f32', ['batch', 'encoder_sequence', size.hidden]);
  return { states, padding, past, present: [] };
}

/** Positions behind those of the past: `[1, sequence]`. */
function positions(g: GraphWriter, input: Value, { past }: Shared): Value {
  const before = past[0] === undefined ? g.int(0) : sizeOf(g, past[0].own.key, 2);
  const end = g.op('Add', [sizeOf(g, input, 1), before]);
  return g.op('Reshape', [g.unsqueeze(g.op('Range', [before, end, g.int(1)]), [0]), g.int([1, -1])]);
}

function attend(g: GraphWriter, place: AttentionPlace<Shared>): Value {
  const { hidden, weights, cross, shared } = place;
  const query = splitHeads(g, linear(g, hidden, weights.query), size.heads);
  const { key, value } = cross ? encoderPair(g, place) : ownPair(g, place);
  const mask = cross ? shared.padding : future(g, query, key);
  const scaled = g.op('Mul', [query, g.float(size.headDim ** -0.5)]);
  const logits = g.op('MatMul', [scaled, g.op('Transpose', [key], { perm: [0, 1, 3, 2] })]);
  const softmax = g.op('Softmax', [g.op('Add', [logits, mask])], { axis: -1 });
  return linear(g, mergeHeads(g, g.op('MatMul', [softmax, value])), weights.output);
}

function ownPair(g: GraphWriter, { hidden, weights, index, shared }: AttentionPlace<Shared>): Pair {
  const fresh = {
    key: splitHeads(g, linear(g, hidden, weights.key), size.heads),
    value: splitHeads(g, linear(g, hidden, weights.value), size.heads),
  };
  const past = shared.past[index]?.own;
  const join = (part: keyof Pair) => (past === undefined ? fresh[part] : g.op('Concat', [past[part], fresh[part]], { axis: -2 }));
  const own = { key: join('key'), value: join('value') };
  shared.present.push({ own });
  return own;
}

function encoderPair(g: GraphWriter, { memory, weights, index, shared }: AttentionPlace<Shared>): Pair {
  const past = shared.past[index]?.encoder;
  if (past !== undefined) return past;
  const encoder = {
    key: splitHeads(g, linear(g, memory, weights.key), size.heads),
    value: splitHeads(g, linear(g, memory, weights.value), size.heads),
  };
  shared.present[index] = { ...shared.present[index]!, encoder };
  return encoder;
}

/** What hides the keys behind a query's own: `[queries, keys]`. */
function future(g: GraphWriter, query: Value, key: Value): Value {
  const [queries, keys] = [sizeOf(g, query, 2), sizeOf(g, key, 2)];
  const full = g.op('ConstantOfShape', [shapeOf(g, [queries, keys])], { value: { tensor: tensorProto('', 'f32', [1], [leastFloat]) } });
  const next = g.op('Add', [g.op('Sub', [keys, queries]), g.int(1)]);
  return g.op('Trilu', [full, next], { upper: 1 });
}

function finish(g: GraphWriter, { present }: Shared): void {
  const give = (name: string, { key, value }: Pair, length: string): void => {
    parts(name).forEach((each, at) => g.output(each, at === 0 ? key : value, 'f32', ['batch', size.heads, length, size.headDim]));
  };
  present.forEach(({ own }, index) => give(`present.${index}.decoder`, own, 'past_sequence + sequence'));
  present.forEach(({ encoder }, index) => encoder && give(`present.${index}.encoder`, encoder, 'encoder_sequence'));
}

/** Both forms of a decoder in the branches of an If, chosen by `use_cache_branch`: what both give are its outputs. */
function merged(first: Uint8Array, cached: Uint8Array): Uint8Array {
  const [plain, past] = [fromBinary(ModelProtoSchema, first), fromBinary(ModelProtoSchema, cached)];
  const outputs = past.graph!.output;
  const shared = new Set(outputs.map(({ name }) => name));
  const branch = (name: string, { node, initializer, output }: GraphProto) => {
    const given = output.filter((each) => shared.has(each.name));
    return create(AttributeProtoSchema, {
      name,
      type: AttributeType.GRAPH,
      g: create(GraphProtoSchema, { name, node, initializer, output: given }),
    });
  };
  const choose = create(NodeProtoSchema, {
    opType: 'If',
    name: 'choose',
    input: ['use_cache_branch'],
    output: outputs.map(({ name }) => name),
    attribute: [branch('then_branch', past.graph!), branch('else_branch', plain.graph!)],
  });
  const inputs = new Map([...plain.graph!.input, ...past.graph!.input].map((each) => [each.name, each]));
  const graph = create(GraphProtoSchema, {
    name: 'main_graph',
    node: [choose],
    input: [...inputs.values(), valueInfo('use_cache_branch', 'bool', [1])],
    output: outputs,
  });
  return toBinary(ModelProtoSchema, copyMessage(plain, { graph }));
}
