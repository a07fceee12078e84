import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { differenceWhere } from '../../../tests/models/windowed.ts';
import { inMemory, runner, subjectOf } from '../../../tests/subjects.ts';
import type { Subject } from '../../../tests/subjects.ts';
import type { Tensors } from '../../contract/tensor.ts';
import { tensorOf } from '../../inputs/model-inputs.ts';
import { RandomStream } from '../../inputs/random.ts';
import { parseReplacements } from '../../migration/parse-replacements.ts';
import { openProto, usingModel } from '../file/open-proto.ts';
import { elementTypes } from '../graph/element-types.ts';
import { GraphBuilder } from '../graph/graph-builder.ts';
import { swapSites } from '../swap/swap.ts';

const [heads, kvHeads, headDim] = [4, 2, 16];

function bytesOf({ window = -1, past = false, more }: { window?: number; past?: boolean; more?: Record<string, number> }): Uint8Array {
  const graph = new GraphBuilder({ opset: 21 });
  for (const [name, count] of [
    ['q', heads],
    ['k', kvHeads],
    ['v', kvHeads],
  ] as const)
    graph.input(name, 'f32', ['batch', 'sequence', count * headDim]);
  const cache = past ? ['past_key', 'past_value'] : [];
  for (const name of cache) graph.input(name, 'f32', ['batch', kvHeads, 'past', headDim]);
  graph.input('mask', 'i64', ['batch', past ? 'past + sequence' : 'sequence']);
  const counted = graph.op('ReduceSum', ['mask', graph.int([1])], { keepdims: 0 });
  const lengths = graph.op('Cast', [graph.op('Sub', [counted, graph.int(1)])], { to: elementTypes.i32 });
  const total = graph.op('Cast', [graph.sizes('mask', 1, 2)], { to: elementTypes.i32 });
  const attributes = { num_heads: heads, kv_num_heads: kvHeads, local_window_size: window, ...more };
  const inputs = ['q', 'k', 'v', ...(past ? cache : ['', '']), lengths, total];
  const [output = '', ...present] = graph.ops('GroupQueryAttention', inputs, attributes, 3);
  const kept = past ? present.map((value, at) => ({ name: ['present_key', 'present_value'][at]!, value, type: 'f32' as const })) : [];
  return graph.model([{ name: 'y', value: output, type: 'f32' }, ...kept]);
}

/** Of the last of several batch elements only two thirds of all tokens count. */
function feedsOf(batch: number, length: number, past?: number): Tensors {
  const stream = new RandomStream(batch + length, 'windowed');
  const draw = (...dims: readonly number[]) =>
    tensorOf('float32', dims, stream.fillNormal(new Float32Array(dims.reduce((product, size) => product * size, 1)), 1));
  const all = length + (past ?? 0);
  const kept = batch === 1 ? all : Math.ceil((2 * all) / 3);
  const mask = Array.from({ length: batch * all }, (_, at) => (at < (batch - 1) * all || at % all < kept ? 1 : 0));
  const [q, k, v] = [heads, kvHeads, kvHeads].map((count) => draw(batch, length, count * headDim));
  const cache = past === undefined ? [] : ['past_key', 'past_value'].map((name) => [name, draw(batch, kvHeads, past, headDim)] as const);
  return { q: q!, k: k!, v: v!, mask: tensorOf('int64', [batch, all], mask), ...Object.fromEntries(cache) };
}

describe('the window of GroupQueryAttention', () => {
  for (const window of [1, 5, 200]) {
    test(`local_window_size=${window} is so many keys, in every kernel`, async () => {
      const { file, sites } = await subjectOf(inMemory('windowed', bytesOf({ window })));
      const [site] = sites.sites;
      assert.deepEqual([site!.mask, site!.window, site!.causal, site!.reason], ['window', { left: window - 1, right: 0 }, true, undefined]);
      const items = [1, 7, 66, 513].map((length) => feedsOf(2, length));
      for (const text of [`window:w=${window}`, 'window:w=1000', 'dense.tiled', 'dense.fused'])
        await assertExact({ file, sites }, text, items);
    });
  }

  for (const window of [5, 40]) {
    test(`behind a past, local_window_size=${window} counts from where each batch element ends, and is handed over`, async () => {
      const { file, sites } = await subjectOf(inMemory('windowed', bytesOf({ window, past: true })));
      const [site] = sites.sites;
      assert.deepEqual([site!.mask, site!.window, site!.causal, site!.selfAttention], ['bias', undefined, true, false]);
      const items = [feedsOf(1, 7, 0), feedsOf(2, 70, 0), feedsOf(2, 1, 90), feedsOf(3, 1, 9), feedsOf(1, 5, 66)];
      for (const text of ['dense.tiled', 'dense.fused', 'topk:k=1000']) await assertExact({ file, sites }, text, items);
    });
  }

  test('attributes that say what is meant without them change nothing', async () => {
    const { sites } = await subjectOf(
      inMemory('windowed', bytesOf({ window: 5, past: true, more: { causal: 1, sliding_window_cache: 0 } })),
    );
    assert.deepEqual([sites.sites[0]!.mask, sites.sites[0]!.swappable], ['bias', true]);
  });

  test('a cache that holds the newest keys alone is refused by name', async () => {
    const file = inMemory('windowed', bytesOf({ window: 2, past: true, more: { sliding_window_cache: 1 } }));
    const [site] = (await subjectOf(file)).sites.sites;
    assert.match(site!.reason!, /only the newest keys \(sliding_window_cache\)/);
  });
});

test('GroupQueryAttention that is not causal is swapped as such', async () => {
  const { file, sites } = await subjectOf(inMemory('bidirectional', bytesOf({ more: { causal: 0 } })));
  const [site] = sites.sites;
  assert.deepEqual([site!.mask, site!.causal, site!.reason], ['padding', false, undefined]);
  const items = [1, 7, 66].map((length) => feedsOf(2, length));
  for (const text of ['dense.tiled', 'dense.fused']) await assertExact({ file, sites }, text, items);
});

async function assertExact({ file, sites }: Subject, text: string, items: readonly Tensors[]): Promise<void> {
  const replacements = parseReplacements([text], [0], runner.adapter);
  const proto = swapSites(sites, { adapter: runner.adapter, replacements, seed: 1 });
  await usingModel(openProto(sites.proto, file, runner), (original) =>
    usingModel(openProto(proto, file, runner), async (changed) => {
      for (const feeds of items) {
        const [before, now] = [original.bind(feeds), changed.bind(feeds)];
        await before.run();
        await now.run();
        // Every token behind a past counts.
        const counts = (token: number) => feeds['past_key'] !== undefined || feeds['mask']!.data[token] === 1n;
        const difference = differenceWhere(now.outputs(), before.outputs(), counts);
        assert.ok(difference <= 1e-5, `${text} at ${feeds['q']!.dims.join(' × ')}: ${difference}`);
      }
    }),
  );
}
