import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inMemory, runner, subjectOf } from '../../../tests/subjects.ts';
import type { Tensors } from '../../contract/tensor.ts';
import { tensorOf } from '../../inputs/model-inputs.ts';
import { RandomStream } from '../../inputs/random.ts';
import { parseReplacements } from '../../migration/parse-replacements.ts';
import { openProto, usingModel } from '../file/open-proto.ts';
import { elementTypes, GraphBuilder } from '../graph/graph-builder.ts';
import { swapSites } from '../swap/swap.ts';

const [heads, kvHeads, headDim] = [4, 2, 16];

function bytesOf({ window, past = false }: { window: number; past?: boolean }): Uint8Array {
  const graph = new GraphBuilder({ opset: 21 });
  for (const [name, count] of [
    ['q', heads],
    ['k', kvHeads],
    ['v', kvHeads],
  ] as const)
    graph.input(name, 'f32', ['batch', 'sequence', count * headDim]);
  const cache = past ? ['past_key', 'past_value'] : [];
  for (const name of cache) graph.input(name, 'f32', ['batch', kvHeads, 'past', headDim]);
  graph.input('mask', 'i64', ['batch', 'total']);
  const counted = graph.op('ReduceSum', ['mask', graph.int([1])], { keepdims: 0 });
  const lengths = graph.op('Cast', [graph.op('Sub', [counted, graph.int(1)])], { to: elementTypes.i32 });
  const total = graph.op('Cast', [graph.sizes('mask', 1, 2)], { to: elementTypes.i32 });
  const attributes = { num_heads: heads, kv_num_heads: kvHeads, local_window_size: window };
  const inputs = ['q', 'k', 'v', ...(past ? cache : ['', '']), lengths, total];
  const [output = '', ...present] = graph.ops('GroupQueryAttention', inputs, attributes, 3);
  const kept = past ? present.map((value, at) => ({ name: ['present_key', 'present_value'][at]!, value, type: 'f32' as const })) : [];
  return graph.model([{ name: 'y', value: output, type: 'f32' }, ...kept]);
}

/** Of the last batch element only two thirds of the tokens count. */
function feedsOf(batch: number, length: number): Tensors {
  const stream = new RandomStream(batch + length, 'windowed');
  const draw = (count: number) =>
    tensorOf('float32', [batch, length, count * headDim], stream.fillNormal(new Float32Array(batch * length * count * headDim), 1));
  const kept = Math.ceil((2 * length) / 3);
  const mask = Array.from({ length: batch * length }, (_, at) => (at < (batch - 1) * length || at % length < kept ? 1 : 0));
  return { q: draw(heads), k: draw(kvHeads), v: draw(kvHeads), mask: tensorOf('int64', [batch, length], mask) };
}

/** Over the tokens that count. */
function differenceOf(actual: Tensors, expected: Tensors, { mask }: Tensors): number {
  const [own, wanted] = [actual, expected].map(({ y }) => y!.data as Float32Array);
  let [difference, total] = [0, 0];
  wanted!.forEach((value, place) => {
    if (mask!.data[Math.floor(place / (heads * headDim))] === 0n) return;
    difference += (own![place]! - value) ** 2;
    total += value ** 2;
  });
  return Math.sqrt(difference / total);
}

describe('the window of GroupQueryAttention', () => {
  for (const window of [1, 5, 200]) {
    test(`local_window_size=${window} is so many keys, in every kernel`, async () => {
      const { file, sites } = await subjectOf(inMemory('windowed', bytesOf({ window })));
      const [site] = sites.sites;
      assert.deepEqual([site!.mask, site!.window, site!.causal, site!.reason], ['window', { left: window - 1, right: 0 }, true, undefined]);
      for (const text of [`window:w=${window}`, 'window:w=1000', 'dense.tiled', 'dense.fused']) {
        const replacements = parseReplacements([text], [0], runner.adapter);
        const proto = swapSites(sites, { adapter: runner.adapter, replacements, seed: 1 });
        await usingModel(openProto(sites.proto, file, runner), (original) =>
          usingModel(openProto(proto, file, runner), async (changed) => {
            for (const length of [1, 7, 66, 513]) {
              const feeds = feedsOf(2, length);
              const [before, now] = [original.bind(feeds), changed.bind(feeds)];
              await before.run();
              await now.run();
              const difference = differenceOf(now.outputs(), before.outputs(), feeds);
              assert.ok(difference <= 1e-5, `${text} at ${length}: ${difference}`);
            }
          }),
        );
      }
    });
  }

  test('behind a past it counts from where each batch element ends, which is refused', async () => {
    const { sites } = await subjectOf(inMemory('windowed', bytesOf({ window: 5, past: true })));
    assert.match(sites.sites[0]!.reason ?? '', /its window counts from where the past of each batch element ends/);
  });
});
