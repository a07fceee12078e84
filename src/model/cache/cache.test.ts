import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as gqa from '../../../tests/models/gqa-decoder.ts';
import * as bert from '../../../tests/models/torchscript-bert.ts';
import * as gpt2 from '../../../tests/models/torchscript-gpt2.ts';
import { inMemory, runner, subjectOf } from '../../../tests/subjects.ts';
import type { OnnxFile } from '../file/onnx-file.ts';
import type { Tensors } from '../../contract/tensor.ts';
import { parseReplacements } from '../../migration/parse-replacements.ts';
import { openProto, usingModel } from '../file/open-proto.ts';
import { swapSites } from '../swap/swap.ts';
import { firstTokens, greedyIds, call, nextCall } from './drive.ts';
import { findCache } from './find-cache.ts';
import { Follower } from './follower.ts';
import { driveFault } from './prove-drive.ts';
import { requireCache } from './require-cache.ts';

/** GPT-2's prompt behind an empty cache. */
const gptPrompt = (length: number) => gpt2.feeds({ batch: 1, length, past: 0 });

const decoders: ReadonlyArray<readonly [string, OnnxFile, (length: number) => Tensors]> = [
  ['GPT-2 as torch.onnx exports it', inMemory('gpt2', gpt2.build()), gptPrompt],
  ['GroupQueryAttention as GenAI builds it', inMemory('gqa', gqa.build()), gqa.prompt],
];

async function cacheOf(file: OnnxFile) {
  const { sites } = await subjectOf(file);
  return { sites, cache: await findCache(sites, file, runner) };
}

describe('a cache is found by what outputs hand on, and driven token by token', () => {
  for (const [name, file, prompt] of decoders) {
    test(name, async () => {
      const { cache } = await cacheOf(file);
      assert.ok(cache !== null);
      assert.deepEqual(
        cache.parts.map(({ input, output, axis }) => [input, output, axis]),
        [0, 1].flatMap((layer) => ['key', 'value'].map((part) => [`past_key_values.${layer}.${part}`, `present.${layer}.${part}`, 2])),
      );
      assert.deepEqual(cache.roles, { input_ids: 'ids', attention_mask: 'mask' });
      assert.equal(cache.logits, 'logits');
      await usingModel(openProto(file.proto, file, runner), async (model) => {
        assert.equal(await driveFault(model, cache, prompt(9), 1e-5), undefined);
        // Greedy decoding through the cache is what calls over the whole text give.
        const decoder = new Follower(model, cache, prompt(4));
        await decoder.begin();
        let whole = prompt(4);
        for (let step = 0; step < 6; step++) {
          const outputs = await call(model, whole);
          const ids = greedyIds(cache, whole, outputs);
          const id = Number(ids.data[0]);
          assert.equal(decoder.logits.indexOf(Math.max(...decoder.logits)), id, `step ${step}`);
          await decoder.follow(id);
          const { input_ids: text, attention_mask: mask } = nextCall(cache, whole, outputs, ids);
          whole = {
            ...whole,
            input_ids: {
              ...text!,
              dims: [1, whole['input_ids']!.dims[1]! + 1],
              data: BigInt64Array.from([...whole['input_ids']!.data, BigInt(id)] as bigint[]),
            },
            attention_mask: mask!,
          };
        }
      });
    });
  }

  test('a buffer with room for what comes is handed on whole', async () => {
    const file = inMemory('buffer', gqa.build({ capacity: 24 }));
    const { cache } = await cacheOf(file);
    const grown = inMemory('gqa', gqa.build());
    const { cache: plain } = await cacheOf(grown);
    assert.deepEqual(cache?.parts, plain?.parts);
    await usingModel(openProto(file.proto, file, runner), async (model) => {
      assert.equal(await driveFault(model, cache!, gqa.prompt(9, 1, 24), 1e-5), undefined);
      await usingModel(openProto(grown.proto, grown, runner), async (other) => {
        const [one, two] = [new Follower(model, cache!, gqa.prompt(9, 1, 24)), new Follower(other, plain!, gqa.prompt(9))];
        await Promise.all([one.begin(), two.begin()]);
        for (const id of [3, 1, 4, 1, 5]) {
          await Promise.all([one.follow(id), two.follow(id)]);
          assert.deepEqual(one.logits, two.logits);
        }
      });
    });
  });

  test('an encoder has none', async () => {
    assert.equal((await cacheOf(inMemory('bert', bert.build()))).cache, null);
  });
});

describe('a fault in how a decoder keeps its cache is caught', () => {
  const says: Readonly<Record<gqa.Fault, RegExp>> = {
    'cache one off': /does not begin with what|differs by/,
    'rotation without the past': /the last of 9 tokens differs by/,
    'present rounded': /present\.0\.key does not begin with what the input past_key_values\.0\.key holds, byte for byte/,
    'present of another layer': /does not begin with what/,
  };
  const right = inMemory('gqa', gqa.build());
  for (const fault of gqa.faults) {
    test(`${fault}: before anything is driven`, async () => {
      const { cache } = await cacheOf(right);
      const wrong = inMemory('wrong', gqa.build({ fault }));
      const found = await usingModel(openProto(wrong.proto, wrong, runner), (model) => driveFault(model, cache!, gqa.prompt(9), 1e-3));
      assert.match(found ?? 'nothing', says[fault]);
    });
  }

  for (const fault of ['cache one off', 'present rounded', 'present of another layer'] as const) {
    test(`${fault}: before a swapped model is written`, async () => {
      const { cache } = await cacheOf(right);
      const wrong = inMemory('wrong', gqa.build({ fault }));
      await assert.rejects(requireCache(wrong.proto, cache, right, runner), { code: 'UNSUPPORTED', message: /does not keep the cache: / });
    });
  }

  test('a swap that is right keeps it', async () => {
    const { cache, sites } = await cacheOf(right);
    const replacements = parseReplacements(['dense.fused'], [...sites.swappable.keys()], runner.adapter);
    assert.equal(replacements.size, gqa.size.layers);
    await requireCache(swapSites(sites, { adapter: runner.adapter, replacements, seed: 1 }), cache, right, runner);
  });
});

test('the first tokens of a call are that call with fewer tokens', () => {
  const cache = {
    parts: [],
    roles: { input_ids: 'ids', attention_mask: 'mask', positions: 'positions', total: 'count' },
    logits: null,
    longest: null,
    shown: {},
  } as const;
  const row = (...values: number[]) => ({ type: 'int32' as const, dims: [1, values.length], data: Int32Array.from(values) });
  const whole = {
    input_ids: row(5, 6, 7),
    attention_mask: row(1, 1, 1, 1, 0),
    positions: row(2, 3, 4),
    total: { ...row(5), dims: [1] },
    other: row(9, 9, 9),
  };
  const first = firstTokens(cache, whole, 1);
  assert.deepEqual(
    Object.values(first).map(({ data }) => Array.from(data, Number)),
    [[5], [1, 1, 1], [2], [3], [9, 9, 9]],
  );
});
