import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { NodeProtoSchema } from 'onnx-buf';
import type { NodeProto } from 'onnx-buf';
import { inMemory, runner } from '../../../tests/subjects.ts';
import type { Tensors } from '../../contract/tensor.ts';
import { tensorOf } from '../../inputs/model-inputs.ts';
import { RandomStream } from '../../inputs/random.ts';
import { parseReplacements } from '../../migration/parse-replacements.ts';
import { openProto } from '../file/open-proto.ts';
import { elementTypes } from '../graph/element-types.ts';
import { GraphBuilder } from '../graph/graph-builder.ts';
import { GraphIndex } from '../graph/graph-index.ts';
import { proveUnchanged } from '../swap/prove.ts';
import { swapSites } from '../swap/swap.ts';
import { groupQueryParts } from './cached-keys.ts';
import type { Candidate, Projected } from './candidate.ts';
import { findSites } from './find-sites.ts';
import { isSameTensor } from './mask-sources.ts';
import { matchFused } from './match-fused.ts';
import { probeCandidates } from './probe-candidates.ts';
import { readSite } from './read-site.ts';

const [heads, kvHeads, headDim, positions] = [4, 2, 32, 64];

interface Form {
  readonly name: string;
  /** Appends the operator to a graph with the inputs `q`, `k`, `v`, `past_key`, `past_value`, `mask` and an int32 mask; gives its outputs. */
  build(graph: GraphBuilder, mask: string): readonly string[];
  readonly kvHeads: number;
  /** Whether several tokens behind a past want a batch of 1. */
  readonly single?: boolean;
}

function groupQuery(graph: GraphBuilder, { packed = false, partial = false, interleaved = 0 } = {}): readonly string[] {
  const counted = graph.op('ReduceSum', ['mask', graph.int([1])], { keepdims: 0 });
  const lengths = graph.op('Cast', [graph.op('Sub', [counted, graph.int(1)])], { to: elementTypes.i32 });
  const total = graph.op('Cast', [graph.sizes('mask', 1, 2)], { to: elementTypes.i32 });
  const width = headDim / (partial ? 4 : 2);
  const table = (of: (angle: number) => number) =>
    Float32Array.from({ length: positions * width }, (_, at) => of(Math.floor(at / width) / 10 ** (at % width)));
  const cos = graph.initializer('cos', table(Math.cos), [positions, width]);
  const sin = graph.initializer('sin', table(Math.sin), [positions, width]);
  const own = packed ? [graph.op('Concat', ['q', 'k', 'v'], { axis: 2 }), '', ''] : ['q', 'k', 'v'];
  const attributes = { num_heads: heads, kv_num_heads: kvHeads, do_rotary: 1, rotary_interleaved: interleaved };
  return graph.ops('GroupQueryAttention', [...own, 'past_key', 'past_value', lengths, total, cos, sin], attributes, 3);
}

const forms: readonly Form[] = [
  { name: 'GroupQueryAttention', build: (graph) => groupQuery(graph), kvHeads, single: true },
  { name: 'GroupQueryAttention, packed', build: (graph) => groupQuery(graph, { packed: true, partial: true }), kvHeads, single: true },
  { name: 'GroupQueryAttention, interleaved', build: (graph) => groupQuery(graph, { interleaved: 1 }), kvHeads, single: true },
  {
    name: 'MultiHeadAttention',
    build: (graph, mask) =>
      graph.ops('MultiHeadAttention', ['q', 'k', 'v', '', mask, '', 'past_key', 'past_value'], { num_heads: heads }, 3),
    kvHeads: heads,
  },
  {
    name: 'Attention of opset 23',
    build: (graph) =>
      graph.ops('Attention', ['q', 'k', 'v', '', 'past_key', 'past_value'], { q_num_heads: heads, kv_num_heads: kvHeads, is_causal: 1 }, 3),
    kvHeads,
  },
];

function bytesOf({ build, kvHeads: count }: Form): Uint8Array {
  const graph = new GraphBuilder({ opset: 23 });
  for (const [name, width] of [
    ['q', heads],
    ['k', count],
    ['v', count],
  ] as const)
    graph.input(name, 'f32', ['batch', 'sequence', width * headDim]);
  for (const name of ['past_key', 'past_value']) graph.input(name, 'f32', ['batch', count, 'past', headDim]);
  graph.input('mask', 'i64', ['batch', 'past + sequence']);
  const mask = graph.op('Cast', ['mask'], { to: elementTypes.i32 });
  const [output = '', key = '', value = ''] = build(graph, mask);
  return graph.model([
    { name: 'y', value: output, type: 'f32' },
    { name: 'present_key', value: key, type: 'f32' },
    { name: 'present_value', value: value, type: 'f32' },
  ]);
}

function feedsOf(
  { kvHeads: count }: Form,
  { batch, length, past, padded }: { batch: number; length: number; past: number; padded: boolean },
): Tensors {
  const stream = new RandomStream(batch + length + past, 'cached');
  const draw = (dims: readonly number[]) => {
    const size = dims.reduce((product, each) => product * each, 1);
    return tensorOf(
      'float32',
      dims,
      Array.from({ length: size }, () => stream.normal()),
    );
  };
  const all = past + length;
  // As many keys of the last batch element count as a prompt, or one token behind a past, leaves open.
  const kept = padded ? Math.max(1, all - 2) : all;
  const mask = Array.from({ length: batch * all }, (_, at) => (at < (batch - 1) * all || at % all < kept ? 1 : 0));
  return {
    q: draw([batch, length, heads * headDim]),
    k: draw([batch, length, count * headDim]),
    v: draw([batch, length, count * headDim]),
    past_key: draw([batch, count, past, headDim]),
    past_value: draw([batch, count, past, headDim]),
    mask: tensorOf('int64', [batch, all], mask),
  };
}

describe('attention that keeps its keys in a cache', () => {
  for (const form of forms) {
    test(`${form.name} is swapped, and hands on the same cache to the byte`, async () => {
      const file = inMemory('cached', bytesOf(form));
      // Tables of a rotation bound the length; without them long runs would take seconds.
      const sites = await findSites(
        file,
        runner,
        form.single === true ? { batch: 1 } : { batch: 1, sequence: 9, past: 6, 'past + sequence': 15 },
      );
      assert.deepEqual(
        sites.sites.map(({ swappable, kvHeads: count, reason }) => [swappable, count, reason]),
        [[true, form.kvHeads, undefined]],
      );
      const replacements = parseReplacements(['dense.fused'], [0], runner.adapter);
      const swapped = swapSites(sites, { adapter: runner.adapter, replacements, seed: 1 });
      proveUnchanged(sites.proto, swapped);
      const [before, after] = [await openProto(sites.proto, file, runner), await openProto(swapped, file, runner)];
      for (const batch of [1, 3])
        for (const length of [1, 9])
          for (const past of [0, 6]) {
            if (form.single === true && batch > 1 && length > 1 && past > 0) continue;
            const bound = [before, after].map((model) =>
              model.bind(feedsOf(form, { batch, length, past, padded: batch > 1 && length * past === 0 })),
            );
            for (const each of bound) await each.run();
            const [expected, actual] = bound.map((each) => each.outputs());
            const at = `batch ${batch}, length ${length}, past ${past}`;
            for (const name of ['present_key', 'present_value']) assert.ok(isSameTensor(expected![name], actual![name]), `${at}: ${name}`);
            const [y, z] = [expected, actual].map((outputs) => outputs!['y']!.data as Float32Array);
            y!.forEach((value, place) => assert.ok(Math.abs(value - z![place]!) < 1e-5, `${at}: y[${place}]`));
          }
      await Promise.all([before.dispose(), after.dispose()]);
    });
  }
});

describe('a fault in what an operator computes inside refuses the site', () => {
  const form = forms[0]!;
  const withInput = (node: NodeProto, at: number, name: string): NodeProto =>
    create(NodeProtoSchema, { opType: node.opType, attribute: node.attribute, output: node.output, input: node.input.with(at, name) });
  const faults: Readonly<Record<string, (graph: GraphBuilder, node: NodeProto) => Projected>> = {
    'a rotation one position on': (graph, node) => {
      const all = graph.op('Range', [
        graph.int(1),
        graph.op('Add', [graph.op('Squeeze', [graph.sizes('q', 1, 2)]), graph.int(1)]),
        graph.int(1),
      ]);
      return groupQueryParts(graph, {
        ...withInput(node, 8, node.input[8]!),
        input: [...node.input, graph.op('Unsqueeze', [all, graph.int([0])])],
      });
    },
    'a cache that is one off': (graph, node) => {
      const one = graph.op('Cast', [graph.int([1])], { to: elementTypes.i32 });
      return groupQueryParts(graph, withInput(node, 5, graph.op('Sub', [node.input[5]!, one])));
    },
    'keys without their past': (graph, node) => groupQueryParts(graph, withInput(withInput(node, 3, ''), 4, '')),
    'keys in the cache that are one bit off': (graph, node) => {
      const parts = groupQueryParts(graph, node);
      const key = node.output[1]!;
      return { ...parts, outputs: { ...parts.outputs, [key]: graph.op('Mul', [parts.outputs![key]!, graph.float(1 + 2 ** -23)]) } };
    },
    'values for keys in the cache': (graph, node) => {
      const parts = groupQueryParts(graph, node);
      const [key = '', value = ''] = node.output.slice(1);
      return { ...parts, outputs: { [key]: parts.outputs![value]!, [value]: parts.outputs![value]! } };
    },
  };
  for (const [name, project] of Object.entries(faults)) {
    test(name, async () => {
      const file = inMemory('cached', bytesOf(form));
      const index = new GraphIndex(file.proto.graph!);
      const [found] = matchFused(index);
      const candidate: Candidate = { ...found!, declared: { ...found!.declared!, project: (graph) => project(graph, found!.anchor) } };
      const subject = { proto: file.proto, file, index, candidates: [candidate], runner, given: { batch: 1 } };
      const { probed } = await probeCandidates(subject);
      const { site } = readSite(probed[0]!.candidate, 0, probed[0]!, {});
      assert.equal(site.swappable, false);
      assert.match(site.reason!, /is not what its inputs and its past give|its output is not softmax|its tensors are neither/);
    });
  }
});
