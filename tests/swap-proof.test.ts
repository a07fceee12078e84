import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { clone, create } from '@bufbuild/protobuf';
import { ModelProtoSchema, OperatorSetIdProtoSchema, StringStringEntryProtoSchema } from 'onnx-buf';
import type { GraphProto, ModelProto, NodeProto } from 'onnx-buf';
import { AttnswapError } from '../src/contract/errors.ts';
import { parseReplacements } from '../src/migration/parse-replacements.ts';
import { proveUnchanged } from '../src/model/swap/prove.ts';
import { swapSites } from '../src/model/swap/swap.ts';
import { models } from './models/index.ts';
import type { TestModel } from './models/index.ts';
import { inMemory, runner, subjectOf } from './subjects.ts';

const small = Object.entries<TestModel>(models).filter(([, { expected }]) => expected.sites.some(({ swappable }) => swappable));

test('every swap of every model is proven, one site or all', async () => {
  for (const [name, { build }] of small) {
    const { sites } = await subjectOf(inMemory(name, build()));
    const numbers = [...sites.swappable.keys()];
    for (const chosen of [numbers, numbers.slice(0, 1)]) {
      const replacements = parseReplacements(['dense.tiled'], chosen, runner.adapter);
      const proof = proveUnchanged(sites.proto, swapSites(sites, { adapter: runner.adapter, replacements, seed: 1 }));
      assert.equal(proof.nodesKept + proof.nodesRemoved.length, sites.proto.graph!.node.length);
      assert.equal(proof.initializersKept + proof.initializersRemoved.length, sites.proto.graph!.initializer.length);
      for (const number of chosen) assert.ok(proof.nodesRemoved.includes(sites.sites[number]!.node), name);
      assert.ok(proof.nodesAdded > 0);
    }
  }
});

describe('the proof fails, and names what differs, where a swapped model has', () => {
  let original: ModelProto;
  let swapped: ModelProto;

  before(async () => {
    const file = inMemory('torchscript-bert', models['torchscript-bert'].build());
    file.proto.metadataProps.push(create(StringStringEntryProtoSchema, { key: 'vocabulary', value: 'small' }));
    const { sites } = await subjectOf(file);
    const replacements = parseReplacements(['dense.fused'], [0, 1], runner.adapter);
    original = sites.proto;
    swapped = swapSites(sites, { adapter: runner.adapter, replacements, seed: 1 });
    proveUnchanged(original, swapped);
  });

  const kept = ({ node }: GraphProto, opType: string): NodeProto =>
    node.find((each) => each.opType === opType && !each.name.startsWith('attnswap/'))!;
  const mutations: Readonly<Record<string, { change: (graph: GraphProto, model: ModelProto) => void; says: RegExp }>> = {
    'another operator': {
      change: (graph) => void (kept(graph, 'Relu').opType = 'Abs'),
      says: /node \/encoder\/.*Relu_\d+ is not the original's/,
    },
    'another input of a node': {
      change: (graph) => void kept(graph, 'Relu').input.splice(0, 1, 'input_ids'),
      says: /Relu_\d+ is not the original's/,
    },
    'another attribute': {
      change: (graph) => void (kept(graph, 'ReduceMean').attribute.find(({ name }) => name === 'keepdims')!.i = 0n),
      says: /ReduceMean_\d+ is not the original's/,
    },
    'another constant': {
      change: (graph) => {
        const { t } = kept(graph, 'Constant').attribute[0]!;
        t!.rawData = t!.rawData.map((byte, at) => (at === 0 ? byte ^ 1 : byte));
      },
      says: /Constant .* is not the original's/,
    },
    'a node without its name': { change: (graph) => void (kept(graph, 'Relu').name = ''), says: /is not the original's/ },
    'a node dropped': {
      change: (graph) => void graph.node.splice(graph.node.indexOf(kept(graph, 'Relu')), 1),
      says: /Relu_\d+ is missing/,
    },
    'a node moved': {
      change: ({ node }) => {
        const place = node.findIndex(({ opType }) => opType === 'Shape');
        node.unshift(...node.splice(place, 1));
      },
      says: /has moved/,
    },
    'a node twice': {
      change: (graph) => void graph.node.push({ ...kept(graph, 'Relu') }),
      says: /Relu_\d+ (appears twice|has moved)/,
    },
    'old attention left in': {
      change: ({ node }) => void node.unshift(original.graph!.node.find(({ opType }) => opType === 'Softmax')!),
      says: /Softmax_\d+ (remains although|has moved)/,
    },
    'one bit of an initializer': {
      change: ({ initializer }) => void (initializer[3]!.rawData = initializer[3]!.rawData.map((byte, at) => (at === 5 ? byte ^ 1 : byte))),
      says: /initializer .+ is not the original's/,
    },
    'an initializer of other sizes': {
      change: ({ initializer }) => void initializer.find(({ dims }) => dims.length === 2 && dims[0] !== dims[1])!.dims.reverse(),
      says: /initializer .+ is not the original's/,
    },
    'an initializer dropped': { change: ({ initializer }) => void initializer.splice(2, 1), says: /initializer .+ is missing/ },
    'an initializer added': {
      change: ({ initializer }) => void initializer.push({ ...initializer[0]!, name: 'more' }),
      says: /initializer more is not the original's/,
    },
    'another name of an output': { change: ({ output }) => void (output[0]!.name = 'states'), says: /output last_hidden_state is not/ },
    'an output more': { change: ({ output }) => void output.push({ ...output[0]!, name: 'more' }), says: /output more is not/ },
    'another type of an input': {
      change: ({ input }) => {
        const { value } = input[1]!.type!;
        if (value.case === 'tensorType') value.value.elemType = 6;
      },
      says: /input attention_mask is not/,
    },
    'another metadata entry': {
      change: (_, { metadataProps }) => void (metadataProps[0]!.value = 'large'),
      says: /metadata props vocabulary is not/,
    },
    'no metadata': { change: (_, { metadataProps }) => void metadataProps.splice(0), says: /metadata props vocabulary is not/ },
    'another version of the operators': {
      change: (_, { opsetImport }) => void (opsetImport.find(({ domain }) => domain === '')!.version = 18n),
      says: /opset import .*is not/,
    },
    'operators of another domain': {
      change: (_, { opsetImport }) => void opsetImport.push(create(OperatorSetIdProtoSchema, { domain: 'example', version: 1n })),
      says: /opset import example is not/,
    },
    'another producer': { change: (_, model) => void (model.producerName = 'someone'), says: /producer name is not/ },
    'another name of the graph': { change: (graph) => void (graph.name = 'other'), says: /name is not/ },
    'a field that ONNX does not define': {
      change: (_, model) => void (model.$unknown = [{ no: 4000, wireType: 0, data: Uint8Array.of(1) }]),
      says: /a field that ONNX does not define/,
    },
  };
  for (const [name, { change, says }] of Object.entries(mutations)) {
    test(name, () => {
      const changed = clone(ModelProtoSchema, swapped);
      change(changed.graph!, changed);
      assert.throws(
        () => proveUnchanged(original, changed),
        (error) => error instanceof AttnswapError && error.code === 'INVALID_MODEL' && says.test(error.message),
      );
    });
  }
});
