import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { NodeProto } from 'onnx-buf';
import { assertSwapped } from '../../../tests/assert-swapped.ts';
import { inMemory, runner, subjectOf } from '../../../tests/subjects.ts';
import type { Tensors } from '../../contract/tensor.ts';
import { tensorOf } from '../../inputs/model-inputs.ts';
import { RandomStream } from '../../inputs/random.ts';
import { findCache } from '../cache/find-cache.ts';
import { driveFault } from '../cache/prove-drive.ts';
import type { OnnxFile } from '../file/onnx-file.ts';
import { openProto, usingModel } from '../file/open-proto.ts';
import { elementTypes } from '../graph/element-types.ts';
import { GraphBuilder } from '../graph/graph-builder.ts';
import type { Value } from '../graph/graph-builder.ts';
import { GraphIndex } from '../graph/graph-index.ts';
import { bufferedParts } from './cached-keys.ts';
import type { Declared } from './candidate.ts';
import { matchFused } from './match-fused.ts';
import { probeCandidates } from './probe-candidates.ts';
import { readSite } from './read-site.ts';

const [heads, kvHeads, headDim, capacity] = [4, 2, 8, 24];
const stream = new RandomStream(1, 'written keys');
const draw = (...dims: readonly number[]) =>
  tensorOf('float32', dims, stream.fillNormal(new Float32Array(dims.reduce((product, size) => product * size, 1)), 1));
const counts = (type: 'int32' | 'int64', ...values: readonly number[]) => tensorOf(type, [values.length], values);

interface Scattered {
  readonly causal?: 0 | 1;
  /** Whether queries, keys and values have three axes. */
  readonly packed?: boolean;
  readonly room?: number | string;
  /** Multiplies where tokens are written. */
  readonly times?: number;
}

/** Attention of opset 24 over buffers that TensorScatter writes new keys and values into; gives its output and the buffers. */
function appendScattered(
  graph: GraphBuilder,
  [q, k, v]: readonly Value[],
  { causal = 1, packed = false, room = capacity, times = 1 }: Scattered,
) {
  const sizes = packed ? ['batch', room, kvHeads * headDim] : ['batch', kvHeads, room, headDim];
  const start = graph.input('write_indices', 'i64', ['batch']);
  const places = times === 1 ? start : graph.op('Mul', [start, graph.int([times])]);
  const seen = graph.input('nonpad_kv_seqlen', 'i64', ['batch']);
  const written = [k, v].map((own, at) => {
    const buffer = graph.input(`past_key_values.0.${['key', 'value'][at]}`, 'f32', sizes);
    return graph.op('TensorScatter', [buffer, own!, places], { axis: packed ? 1 : 2 });
  });
  const numbers = packed ? { q_num_heads: heads, kv_num_heads: kvHeads } : {};
  const output = graph.op('Attention', [q!, ...written, '', '', '', seen], { is_causal: causal, ...numbers });
  const presents = written.map((value, at) => ({ name: `present.0.${['key', 'value'][at]}`, value, type: 'f32' as const }));
  return { output, presents, seen };
}

function scattered(form: Scattered): OnnxFile {
  const graph = new GraphBuilder({ opset: 24 });
  const inputs = [heads, kvHeads, kvHeads].map((count, at) =>
    graph.input('qkv'[at]!, 'f32', form.packed === true ? ['batch', 'sequence', count * headDim] : ['batch', count, 'sequence', headDim]),
  );
  const { output, presents, seen } = appendScattered(graph, inputs, form);
  const off = { name: 'off', value: graph.op('Add', [seen, graph.int([1])]), type: 'i64' as const };
  return inMemory('scattered', graph.model([{ name: 'y', value: output, type: 'f32' }, ...presents, off]));
}

/** New tokens behind so many of each batch element. */
function scatteredFeeds({ packed = false }: Scattered, length: number, before: readonly number[]): Tensors {
  const [batch, own] = [before.length, (count: number, tokens: number) => (packed ? [tokens, count * headDim] : [count, tokens, headDim])];
  return {
    q: draw(batch, ...own(heads, length)),
    k: draw(batch, ...own(kvHeads, length)),
    v: draw(batch, ...own(kvHeads, length)),
    'past_key_values.0.key': draw(batch, ...own(kvHeads, capacity)),
    'past_key_values.0.value': draw(batch, ...own(kvHeads, capacity)),
    write_indices: counts('int64', ...before),
    nonpad_kv_seqlen: counts('int64', ...before.map((count) => count + length)),
  };
}

describe('attention over buffers that TensorScatter writes into', () => {
  const forms: ReadonlyArray<readonly [string, Scattered]> = [
    ['causal', {}],
    ['over all tokens', { causal: 0 }],
    ['causal, of three axes', { packed: true }],
    ['causal, of any room', { room: 'max_sequence' }],
  ];
  for (const [name, form] of forms)
    test(`${name}, is swapped`, async () => {
      const items = [
        scatteredFeeds(form, 5, [0]),
        scatteredFeeds(form, 7, [0, 3, 17]),
        scatteredFeeds(form, 1, [9]),
        scatteredFeeds(form, 1, [20, 4, 0]),
      ];
      const [site] = await assertSwapped(scattered(form), 'dense.tiled', items);
      assert.equal(site!.mask, form.causal === 0 ? 'padding' : 'bias');
    });

  const moved = (masks: Declared['masks']) => masks.map((mask) => ({ ...mask, tensor: 'off' }));
  const faults: Readonly<Record<string, (declared: Declared) => Declared>> = {
    'a cache that is one off': ({ masks, ...more }) => ({ ...more, masks: moved(masks), causal: { counts: 'off' } }),
    'one key more that counts': ({ masks, ...more }) => ({ ...more, masks: moved(masks) }),
    'the first query at the first key': (declared) => ({ ...declared, causal: 'first' }),
    'the last query at the last key of the buffer': (declared) => ({ ...declared, causal: 'last' }),
  };
  for (const [name, fault] of Object.entries(faults))
    test(`${name} refuses the site`, async () => assertRefused(scattered({ causal: name.startsWith('one key') ? 0 : 1 }), fault));
});

async function assertRefused(file: OnnxFile, fault: (declared: Declared, anchor: NodeProto) => Declared): Promise<void> {
  const index = new GraphIndex(file.proto.graph!);
  const [found] = matchFused(index);
  const candidates = [{ ...found!, declared: fault(found!.declared!, found!.anchor) }];
  const { probed } = await probeCandidates({ proto: file.proto, file, index, candidates, runner, given: {} });
  const { site } = readSite(probed[0]!.candidate, 0, probed[0]!, {});
  assert.equal(site.swappable, false);
  assert.match(site.reason!, /its output is not softmax|is not what its inputs and its past give/);
}

describe('a decoder with buffers is driven', () => {
  const [vocabulary, hidden] = [40, heads * headDim];
  const decoder = (times = 1): OnnxFile => {
    const graph = new GraphBuilder({ opset: 24 });
    const weight = (name: string, rows: number, columns: number) =>
      graph.initializer(name, new RandomStream(1, name).fillNormal(new Float32Array(rows * columns), 1 / Math.sqrt(rows)), [rows, columns]);
    const states = graph.op('Gather', [weight('embedding', vocabulary, hidden), graph.input('input_ids', 'i64', ['batch', 'sequence'])]);
    const parts = [heads, kvHeads, kvHeads].map((count, at) => {
      const flat = graph.op('MatMul', [states, weight(`weights${at}`, hidden, count * headDim)]);
      return graph.op('Transpose', [graph.op('Reshape', [flat, graph.int([0, 0, count, headDim])])], { perm: [0, 2, 1, 3] });
    });
    const { output, presents } = appendScattered(graph, parts, { times });
    const merged = graph.op('Reshape', [graph.op('Transpose', [output], { perm: [0, 2, 1, 3] }), graph.int([0, 0, hidden])]);
    const logits = graph.op('MatMul', [graph.op('Add', [states, merged]), weight('head', hidden, vocabulary)]);
    return inMemory('decoder', graph.model([{ name: 'logits', value: logits, type: 'f32' }, ...presents]));
  };
  const prompt = (length: number): Tensors => ({
    input_ids: tensorOf(
      'int64',
      [1, length],
      Array.from({ length }, (_, at) => (7 * at) % vocabulary),
    ),
    'past_key_values.0.key': draw(1, kvHeads, capacity, headDim),
    'past_key_values.0.value': draw(1, kvHeads, capacity, headDim),
    write_indices: counts('int64', 0),
    nonpad_kv_seqlen: counts('int64', length),
  });
  const drive = async (file: OnnxFile) => {
    const { sites } = await subjectOf(decoder());
    const cache = await findCache(sites, decoder(), runner);
    assert.deepEqual(cache?.roles, { input_ids: 'ids', write_indices: 'start', nonpad_kv_seqlen: 'count' });
    assert.deepEqual(
      cache.parts.map(({ axis }) => axis),
      [2, 2],
    );
    return usingModel(openProto(file.proto, file, runner), (model) => driveFault(model, cache, prompt(9), 1e-5));
  };
  test('token by token', async () => assert.equal(await drive(decoder()), undefined));
  test('and one that always writes from the beginning on is refused', async () =>
    assert.match((await drive(decoder(0)))!, /differs by|does not begin/));
});

/** An operator of com.microsoft that attnswap writes nowhere. */
function contributed(
  graph: GraphBuilder,
  operator: string,
  inputs: readonly Value[],
  attributes: Record<string, number>,
  outputs: number,
): Value[] {
  const names = graph.ops(operator, inputs, attributes, outputs);
  graph.fragment().at(-1)!.domain = 'com.microsoft';
  return names;
}

interface Masked {
  readonly cross?: boolean;
  readonly beams?: boolean;
  readonly bias?: boolean;
  /** Whether the operator is told how many keys the past has. */
  readonly counted?: boolean;
}

function masked({ cross = false, beams = false, bias = !cross, counted = true }: Masked = {}): OnnxFile {
  const graph = new GraphBuilder({ opset: 21 });
  const stored = ['batch', heads, 'max_sequence', headDim];
  const query = graph.input('q', 'f32', ['batch', 1, heads * headDim]);
  const attributes = { num_heads: heads, past_present_share_buffer: cross || !counted ? 0 : 1 };
  const shift = bias
    ? [
        graph.initializer(
          'shift',
          Float32Array.from({ length: 3 * heads * headDim }, () => stream.normal()),
          [3 * heads * headDim],
        ),
      ]
    : [];
  if (cross) {
    const keys = ['k', 'v'].map((name) => graph.input(name, 'f32', ['batch', heads, 'encoded', headDim]));
    const mask = graph.input('mask', 'i32', ['batch', 'encoded']);
    const absent = bias ? ['', '', '', '', '', ''] : [];
    const [output = ''] = contributed(graph, 'DecoderMaskedMultiHeadAttention', [query, ...keys, mask, ...absent, ...shift], attributes, 1);
    return inMemory('masked', graph.model([{ name: 'y', value: output, type: 'f32' }]));
  }
  const own = ['k', 'v'].map((name) => graph.input(name, 'f32', ['batch', 1, heads * headDim]));
  const past = ['past_key', 'past_value'].map((name) => graph.input(name, 'f32', stored));
  const count = counted ? graph.input('past_sequence_length', 'i32', [1]) : '';
  const beam = beams
    ? [graph.input('beam_width', 'i32', [1]), graph.input('cache_indirection', 'i32', ['batch', 1, 'max_sequence'])]
    : ['', ''];
  const inputs = [query, ...own, '', '', ...past, count, ...beam, ...shift];
  const [output = '', ...presents] = contributed(graph, 'DecoderMaskedMultiHeadAttention', inputs, attributes, 3);
  return inMemory(
    'masked',
    graph.model([
      { name: 'y', value: output, type: 'f32' },
      ...presents.map((value, at) => ({ name: ['present_key', 'present_value'][at]!, value, type: 'f32' as const })),
    ]),
  );
}

describe('DecoderMaskedMultiHeadAttention', () => {
  const feeds = (batch: number, before: number): Tensors => ({
    ...Object.fromEntries(['q', 'k', 'v'].map((name) => [name, draw(batch, 1, heads * headDim)])),
    ...Object.fromEntries(['past_key', 'past_value'].map((name) => [name, draw(batch, heads, capacity, headDim)])),
    past_sequence_length: counts('int32', before),
  });

  test('behind a buffer, with a bias', async () => {
    const items = [feeds(1, 1), feeds(3, 2), feeds(1, 9), feeds(2, capacity - 1)];
    await assertSwapped(masked(), 'dense.fused', items);
  });

  for (const bias of [false, true])
    test(`over the keys of an encoder${bias ? ', with a bias' : ''}`, async () => {
      const items = [1, 3].map((batch) => ({
        q: draw(batch, 1, heads * headDim),
        k: draw(batch, heads, 11, headDim),
        v: draw(batch, heads, 11, headDim),
        mask: tensorOf(
          'int32',
          [batch, 11],
          Array.from({ length: batch * 11 }, (_, at) => (at % 11 < 8 ? 1 : 0)),
        ),
      }));
      const [site] = await assertSwapped(masked({ cross: true, bias }), 'dense.tiled', items);
      assert.equal(site!.mask, 'padding');
    });

  const faults: Readonly<Record<string, (graph: GraphBuilder, count: Value) => Value>> = {
    'a cache that is one shorter': (graph, count) => graph.op('Sub', [graph.op('Cast', [count], { to: elementTypes.i64 }), graph.int([1])]),
    'a cache that is one longer': (graph, count) => graph.op('Add', [graph.op('Cast', [count], { to: elementTypes.i64 }), graph.int([1])]),
  };
  for (const [name, moved] of Object.entries(faults))
    test(`${name} refuses the site`, () =>
      assertRefused(masked({ bias: false }), (declared, anchor) => ({
        ...declared,
        project: (graph) => {
          const input = anchor.input.with(7, moved(graph, anchor.input[7]!));
          return bufferedParts(graph, { ...anchor, input }, { query: 'q', key: 'k', value: 'v' }, heads);
        },
      })));

  test('a past of unknown length is refused by name', async () => {
    const [site] = (await subjectOf(masked({ counted: false }))).sites.sites;
    assert.match(site!.reason!, /how many keys its past has \(past_sequence_length\)/);
  });

  test('keys that beams pick are refused by name', async () => {
    const [site] = (await subjectOf(masked({ beams: true }))).sites.sites;
    assert.match(site!.reason!, /picked by beams \(cache_indirection\)/);
  });
});

describe('attention that is causal from the first key on', () => {
  const lengths = [
    [5, 5],
    [4, 11],
    [1, 9],
    [11, 4],
    [9, 1],
  ] as const;
  const first = (encoded: string | number, keysFirst = false): OnnxFile => {
    const graph = new GraphBuilder({ opset: 23 });
    const input = (name: string) =>
      graph.input(name, 'f32', ['batch', name === 'q' ? heads : kvHeads, name === 'q' ? 'sequence' : encoded, headDim]);
    const named = Object.fromEntries((keysFirst ? ['k', 'v', 'q'] : ['q', 'k', 'v']).map((name) => [name, input(name)]));
    const output = graph.op('Attention', [named['q']!, named['k']!, named['v']!], { is_causal: 1 });
    return inMemory('first', graph.model([{ name: 'y', value: output, type: 'f32' }]));
  };
  const itemsOf = (sizes: ReadonlyArray<readonly [queries: number, keys: number]>) =>
    sizes.map(([queries, keys]) => ({
      q: draw(2, heads, queries, headDim),
      k: draw(2, kvHeads, keys, headDim),
      v: draw(2, kvHeads, keys, headDim),
    }));

  for (const keysFirst of [false, true])
    test(`is swapped with more keys than queries, and fewer; ${keysFirst ? 'keys' : 'queries'} are the first input`, async () => {
      const [site] = await assertSwapped(first('encoded', keysFirst), 'dense.tiled', itemsOf(lengths));
      assert.deepEqual([site!.mask, site!.causal], ['bias', null]);
    });

  test('is swapped with a fixed number of keys', async () => {
    const [site] = await assertSwapped(first(64), 'dense.tiled', itemsOf([64, 1, 20, 65, 150].map((queries) => [queries, 64])));
    assert.deepEqual([site!.mask, site!.causal], ['bias', null]);
  });

  test('stays causal where queries and keys are equally many', async () => {
    const graph = new GraphBuilder({ opset: 23 });
    const inputs = ['q', 'k', 'v'].map((name) => graph.input(name, 'f32', ['batch', heads, 'sequence', headDim]));
    const added = graph.initializer(
      'added',
      new Float32Array(heads).map((_, at) => at / heads),
      [heads, 1, 1],
    );
    const scores = graph.op('Mul', [added, graph.op('Slice', [inputs[0]!, graph.int([0]), graph.int([1]), graph.int([3])])]);
    const output = graph.op('Attention', [...inputs, graph.op('Add', [scores, graph.op('Transpose', [scores], { perm: [0, 1, 3, 2] })])], {
      is_causal: 1,
    });
    const file = inMemory('equal', graph.model([{ name: 'y', value: output, type: 'f32' }]));
    const items = [1, 7, 30].map((length) => Object.fromEntries(['q', 'k', 'v'].map((name) => [name, draw(2, heads, length, headDim)])));
    const [site] = await assertSwapped(file, 'dense.tiled', items);
    assert.deepEqual([site!.mask, site!.causal], ['bias', true]);
  });
});

test('attention that is not read is told, with the reason, whether the runtime computes it or not', async () => {
  const said = async (operator: string, inputs: number) => {
    const graph = new GraphBuilder({ opset: 21 });
    const names = Array.from({ length: inputs }, (_, at) => graph.input(`x${at}`, 'f32', ['a', 'b', 'c']));
    const [output = ''] = contributed(graph, operator, names, { num_heads: 2 }, 1);
    const { sites } = await subjectOf(inMemory('unread', graph.model([{ name: 'y', value: output, type: 'f32' }])));
    assert.deepEqual(sites.sites, []);
    return sites.unknown.map(({ reason }) => reason);
  };
  assert.deepEqual(await said('DecoderMaskedSelfAttention', 3), ['ONNX Runtime computes DecoderMaskedSelfAttention on CUDA alone']);
  assert.deepEqual(await said('PagedAttention', 8), ['ONNX Runtime computes PagedAttention on CUDA and WebGPU alone']);
  assert.deepEqual(await said('QAttention', 8), ['QAttention is not read']);
});
