import { clone } from '@bufbuild/protobuf';
import { ValueInfoProtoSchema } from 'onnx-buf';
import type { GraphProto, ModelProto, ValueInfoProto } from 'onnx-buf';
import { AttnswapError } from '../../contract/errors.ts';
import { bodiesOf, bodyGraph, withBranchTaken } from '../graph/bodies.ts';
import { copyMessage } from '../graph/copy-message.ts';
import { readsOf } from '../graph/graph-index.ts';
import { renameGraph } from '../graph/rename.ts';
import { namesIn } from '../graph/splice.ts';

/** Begins every name of the decoder's own in a joined model. */
const prefix = 'decoder/';

/**
 * An encoder and its decoder as one model: the decoder reads what the encoder gives (`encoder_hidden_states`, or an input with the name of an
 * output) and the encoder's own mask (`encoder_attention_mask`). The encoder keeps all its names; the decoder's other inputs are called
 * `decoder_<name>`, and so are outputs whose name the encoder has too.
 * @throws UNSUPPORTED where the decoder reads nothing that the encoder gives, or the two are of different opsets
 */
export function joinModels(encoder: ModelProto, decoder: ModelProto): ModelProto {
  const [first, second] = [encoder.graph!, decoder.graph!];
  const own = new Set(second.initializer.map(({ name }) => name));
  const read = new Set([...second.node.flatMap((node) => [...readsOf(node)]), ...second.output.map(({ name }) => name)]);
  const inputs = second.input.filter(({ name }) => read.has(name) && !own.has(name));
  const wires = wiresOf(first, inputs);
  const taken = namesIn(first);
  const ofDecoder = (name: string) => (name.startsWith('decoder_') ? name : `decoder_${name}`);
  const names = new Map([
    ...second.output.map(({ name }) => [name, taken.has(name) ? ofDecoder(name) : name] as const),
    ...inputs.map(({ name }) => [name, wires.get(name) ?? ofDecoder(name)] as const),
  ]);
  const renamed = renameGraph(second, (name) => names.get(name) ?? `${prefix}${name}`);
  const isInput = new Set(inputs.filter(({ name }) => !wires.has(name)).map(({ name }) => names.get(name)!));
  const apart = axesApart(first);
  return copyMessage(encoder, {
    graph: copyMessage(first, {
      node: [...first.node, ...renamed.node],
      initializer: [...first.initializer, ...renamed.initializer],
      input: [...first.input, ...renamed.input.filter(({ name }) => isInput.has(name)).map(apart)],
      output: [...first.output, ...renamed.output.map(apart)],
      valueInfo: [...first.valueInfo, ...renamed.valueInfo.map(apart)],
    }),
    opsetImport: joinedOpsets(encoder, decoder),
  });
}

/** What each of the decoder's inputs is in the encoder; of the others nothing. */
function wiresOf({ input, output }: GraphProto, inputs: readonly ValueInfoProto[]): Map<string, string> {
  const [given, read] = [output, input].map((values) => new Set(values.map(({ name }) => name)));
  const states = given!.has('last_hidden_state') ? 'last_hidden_state' : output[0]?.name;
  const wires = new Map<string, string>();
  for (const { name } of inputs) {
    const source = name.startsWith('encoder_') ? name.slice('encoder_'.length) : '';
    const wire = given!.has(name) ? name : name === 'encoder_hidden_states' ? states : read!.has(source) ? source : undefined;
    if (wire !== undefined) wires.set(name, wire);
  }
  if ([...wires.values()].some((name) => given!.has(name))) return wires;
  const names = (values: readonly ValueInfoProto[]) => values.map(({ name }) => name).join(', ');
  throw new AttnswapError('UNSUPPORTED', `the decoder reads ${names(inputs)}, none of which the encoder gives (${names(output)})`, {
    hint: 'expected a decoder input encoder_hidden_states, or one with the name of an encoder output',
  });
}

/** Gives a decoder's axes other names where the encoder has lengths of the same: `sequence` is as long as its own tokens in each. */
function axesApart({ input }: GraphProto): (info: ValueInfoProto) => ValueInfoProto {
  const lengths = new Set(
    input.flatMap((info) => dimensionsOf(info).slice(1)).flatMap(({ value }) => (value.case === 'dimParam' ? [value.value] : [])),
  );
  return (info) => {
    const copy = clone(ValueInfoProtoSchema, info);
    for (const { value } of dimensionsOf(copy))
      if (value.case === 'dimParam' && lengths.has(value.value)) value.value = `decoder_${value.value}`;
    return copy;
  };
}

export function dimensionsOf({ type }: ValueInfoProto) {
  return type?.value.case === 'tensorType' ? (type.value.value.shape?.dim ?? []) : [];
}

function joinedOpsets(encoder: ModelProto, decoder: ModelProto): ModelProto['opsetImport'] {
  const own = new Map(encoder.opsetImport.map(({ domain, version }) => [domain, version]));
  const other = decoder.opsetImport.find(({ domain, version }) => (own.get(domain) ?? version) !== version);
  if (other === undefined) return [...encoder.opsetImport, ...decoder.opsetImport.filter(({ domain }) => !own.has(domain))];
  const versions = `${own.get(other.domain)} and ${other.version}`;
  throw new AttnswapError(
    'UNSUPPORTED',
    `encoder and decoder are of opset ${versions}${other.domain && ` of ${other.domain}`}, expected the same`,
    {
      hint: 'export both again with one opset',
    },
  );
}

/**
 * A merged decoder as it computes without a past: with that branch of its `If` in the `If`'s place which reads fewer of the model's inputs.
 * Other decoders come back as they are.
 */
export function withoutPast(proto: ModelProto): ModelProto {
  const graph = proto.graph!;
  const inputs = new Set(graph.input.map(({ name }) => name));
  const reads = (inner: GraphProto) => new Set(inner.node.flatMap((node) => [...readsOf(node)].filter((name) => inputs.has(name)))).size;
  const [body] = bodiesOf(graph).toSorted((a, b) => reads(bodyGraph(graph, a)) - reads(bodyGraph(graph, b)));
  return (body && withBranchTaken(proto, body)) ?? proto;
}
