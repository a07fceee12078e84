import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openModel } from '../../adapters/onnx/open-model.ts';
import type { RunnableModel } from '../../src/contract/data.ts';
import type { Tensors } from '../../src/contract/tensor.ts';
import { loadData } from '../../src/data/data-module.ts';
import { cosine, sentenceEmbedding } from './embedding.ts';

const modelPath = fileURLToPath(new URL('../../models/paraphrase-minilm-l3.onnx', import.meta.url));
const tokenizerPath = fileURLToPath(new URL('../../models/minilm-tokenizer.json', import.meta.url));
const skip = !(existsSync(modelPath) && existsSync(tokenizerPath)) && 'needs the model: npm run fetch-models';

const data = await loadData(fileURLToPath(new URL('minilm.data.ts', import.meta.url)), { inputs: [] });
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

async function embedder(): Promise<RunnableModel & { close(): Promise<void> }> {
  const opened = await openModel({ backend: 'onnx-cpu', model: modelPath });
  if ('unsupported' in opened) throw new Error(opened.unsupported);
  const run = async (feeds: Tensors): Promise<Tensors> => {
    const bound = opened.bind(feeds);
    await bound.run();
    return bound.outputs();
  };
  return { run, close: () => opened.dispose() };
}

test('the real model finds continuations; with every other token lost it finds fewer', { skip }, async () => {
  const model = await embedder();
  const items = await data.items({ lengths: [128], itemsPerLength: 12, seed: 1 });
  const scores = await data.evaluate!(model, items);
  assert.deepEqual(await data.evaluate!(model, items), scores);
  assert.ok(mean(scores) > 0.85, `mean score ${mean(scores)}`);
  // A lone item scores what it scores among others.
  assert.deepEqual(await data.evaluate!(model, items.slice(3, 4)), scores.slice(3, 4));
  const poorer = await data.evaluate!({ run: (feeds) => model.run(scramble(feeds)) }, items);
  assert.ok(mean(poorer) < mean(scores) - 0.1, `mean score ${mean(poorer)} of scrambled passages, ${mean(scores)} of whole ones`);
  await model.close();
});

/** Every other token becomes another one, which depends on its place alone. */
function scramble(feeds: Tensors): Tensors {
  const ids = (feeds['input_ids']!.data as BigInt64Array).map((id, index) =>
    index % 2 === 1 ? BigInt(2000 + ((index * 7919) % 20_000)) : id,
  );
  return { ...feeds, input_ids: { ...feeds['input_ids']!, data: ids } };
}

test('passages have the wanted lengths and are the same each time', { skip }, async () => {
  const request = { lengths: [128, 512], itemsPerLength: 3, seed: 2 };
  const items = await data.items(request);
  assert.deepEqual(
    items.map(({ length }) => length),
    [128, 128, 128, 512, 512, 512],
  );
  for (const { feeds, length } of items) assert.deepEqual(feeds['input_ids']!.dims, [1, length]);
  assert.deepEqual(await data.items(request), items);
  await assert.rejects(data.items({ ...request, lengths: [513] }), /length is 513, expected at most 512/);
});

test('a model that calls everything alike scores 0, one that knows continuations scores 1', { skip }, async () => {
  const items = await data.items({ lengths: [64], itemsPerLength: 4, seed: 3 });
  const answer = (values: Float32Array) => ({ embedding: { type: 'float32', dims: [1, values.length], data: values } }) as const;
  assert.deepEqual(await data.evaluate!({ run: async () => answer(Float32Array.of(1, 1)) }, items), [0, 0, 0, 0]);
  let calls = 0;
  // Called first for the passages from elsewhere, then for each item and its continuation.
  const knowing = async () => answer((calls += 1) <= 31 ? Float32Array.of(0, 1) : Float32Array.of(1, 0));
  assert.deepEqual(await data.evaluate!({ run: knowing }, items.slice(0, 1)), [1]);
});

test('the sentence embedding is the one output of rank 2 that is float32, else the mean of the states', () => {
  const values = Float32Array.of(3, 4);
  const ids = { type: 'int64', dims: [1, 2], data: BigInt64Array.of(1n, 2n) } as const;
  const states = { type: 'float32', dims: [1, 2, 2], data: Float32Array.of(1, 2, 3, 6) } as const;
  const sentence = { type: 'float32', dims: [1, 2], data: values } as const;
  assert.equal(sentenceEmbedding({ ids, states, sentence }), values);
  assert.deepEqual(sentenceEmbedding({ ids, states }), Float32Array.of(2, 4));
  assert.throws(() => sentenceEmbedding({ ids }), /expected one output float32 \[1, hidden\]/);
  assert.throws(() => sentenceEmbedding({ states, others: states }), /expected one output float32 \[1, hidden\]/);
  assert.throws(() => sentenceEmbedding({ sentence, other: sentence }), /expected one output/);
  assert.equal(cosine(values, Float32Array.of(6, 8)), 1);
  assert.equal(cosine(values, Float32Array.of(-4, 3)), 0);
});
