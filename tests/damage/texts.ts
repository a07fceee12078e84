import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { elementTypes } from '../../src/data/element-types.ts';
import { loadData } from '../../src/data/data-module.ts';
import { wordTokenizer } from '../../src/data/fixtures/word-tokenizer.ts';
import type { Item } from '../../src/contract/data.ts';
import { dispatchSchema, doneSchema, helloSchema, memorySchema, prepareSchema, sampleSchema } from '../../src/protocol/messages.ts';
import type { AdapterTraining } from '../../src/contract/model-attention.ts';
import * as modelMessages from '../../src/protocol/model-messages.ts';
import { readLines } from '../../src/protocol/read-lines.ts';
import { readReply, violation } from '../../src/protocol/read-reply.ts';
import { damagedBytes, damagedJson, damagedValue, liveValues, pick } from './damage.ts';
import type { Reader } from './endure.ts';

type Bytes = Uint8Array;
const encoder = new TextEncoder();
const lengths = [8];
const request = { lengths, itemsPerLength: 2, seed: 1 };
const inputs = [{ name: 'input_ids', type: 'int64', dims: ['batch', 'sequence'] }] as const;

/** Readers of texts, tokenizers, the items of data modules and the answers of workers. */
export async function textReaders(folder: string): Promise<Reader[]> {
  const [text, tokenizer, module] = ['book.txt', 'tokenizer.json', 'mine.data.mjs'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const book = encoder.encode('the quick brown fox jumps over a lazy dog – naïve, 12 «words». '.repeat(40));
  const given = { items: undefined as unknown };
  (globalThis as Record<symbol, unknown>)[Symbol.for('attnswap damaged items')] = given;
  await writeFile(module, "export const items = async () => globalThis[Symbol.for('attnswap damaged items')].items;\n");
  const data = await loadData(module, { inputs });
  const items = async () => {
    const { items: read } = await loadData(text, { inputs, tokenizer });
    return problemOf(await read(request));
  };
  return [
    {
      name: 'book.txt',
      share: 6,
      whole: [book],
      damaged: (draw) => damagedBytes(book, draw),
      async read(bytes) {
        await writeFile(tokenizer, JSON.stringify(wordTokenizer));
        await writeFile(text, bytes);
        return items();
      },
    } satisfies Reader<Bytes> as Reader,
    {
      name: 'tokenizer.json',
      share: 8,
      whole: [encoder.encode(JSON.stringify(wordTokenizer))],
      damaged: (draw) =>
        draw(2) === 0
          ? damagedBytes(encoder.encode(JSON.stringify(wordTokenizer)), draw)
          : encoder.encode(damagedJson(wordTokenizer, draw)),
      async read(bytes) {
        await writeFile(tokenizer, bytes);
        await writeFile(text, book);
        return items();
      },
    } satisfies Reader<Bytes> as Reader,
    {
      name: 'data module',
      share: 12,
      whole: [wholeItems()],
      damaged: (draw) => damagedValue(wholeItems(), draw, liveValues),
      async read(value) {
        given.items = value;
        return problemOf(await data.items(request));
      },
    },
    {
      name: 'worker',
      share: 14,
      whole: answers.filter((answer) => !('error' in answer)).map((answer) => encoder.encode(`${JSON.stringify(answer)}\n`)),
      damaged(draw) {
        const answer = pick(answers, draw);
        return draw(2) === 0
          ? damagedBytes(encoder.encode(`${JSON.stringify(answer)}\n`), draw)
          : encoder.encode(`${damagedJson(answer, draw)}\n`);
      },
      async read(bytes) {
        const stream = new PassThrough();
        const lines = readLines(stream);
        const next = lines.next();
        stream.end(bytes);
        const line = await next;
        if (line.state !== 'line') throw violation(line.state);
        const read = schemas.flatMap((schema) => {
          try {
            return [readReply(line.text, { id: 1, question: 'anything', shown: 'worker' }, schema as never)];
          } catch (error) {
            if ((error as { code?: unknown }).code === undefined) throw error;
            return [];
          }
        });
        if (read.length === 0) throw violation('no answer');
        return read.every((reply) => typeof reply === 'object') ? undefined : 'an answer that is no object';
      },
    } satisfies Reader<Bytes> as Reader,
  ];
}

/** A training of two steps, which the schemas of its answers depend on. */
const training = { items: ['a', 'b'], batch: 1 } as unknown as AdapterTraining;
const schemas = [
  ...[helloSchema, prepareSchema, doneSchema, sampleSchema, memorySchema, dispatchSchema],
  ...Object.values(modelMessages).map((schema) => (typeof schema === 'function' ? schema(training) : schema)),
];

const sizes = { batch: 1, heads: 2, kvHeads: 2, queries: 8, keys: 8, headDim: 4, scale: 0.5, dtype: 'f32', padded: true, biased: false };
const answers = [
  {
    id: 1,
    protocol: 'attnswap.worker/1',
    name: 'mine',
    version: '1',
    backends: [{ name: 'mine-cpu', available: true, version: '1', device: 'CPU', threads: 2, dtypes: ['f32'], details: { blas: 'none' } }],
    kernels: [{ variant: 'dense', kernel: 'mine', summary: 'as it is', scored: 'all' }],
  },
  { id: 1, inputs: 'a'.repeat(64) },
  { id: 1, elapsedNs: 12_345 },
  { id: 1, peakDeviceBytes: 4096, deviceMethod: 'counter' },
  { id: 1, operators: [{ operator: 'MatMul', provider: 'CPU', calls: 2, totalNs: 5000 }], flags: [] },
  {
    id: 1,
    model: 'BertModel',
    attention: 'eager',
    inputs: [{ name: 'input_ids', type: 'int64', dims: ['batch', 8], below: 100 }],
    longest: 8,
  },
  {
    id: 1,
    sites: [{ module: 'layer.0', calls: [{ ...sizes, causal: null }] }],
    elsewhere: [{ where: 'layer.1', what: 'a bias' }],
    faithful: true,
  },
  { id: 1, calls: [{ ...sizes, causal: false, module: 'layer.0' }] },
  { id: 1, modules: 2, tensors: 9, sha256: 'a'.repeat(64) },
  {
    id: 1,
    losses: [0.5, 0.25],
    parameters: 8,
    cost: { elapsedNs: 9, communicationNs: 1, peakBytes: null, frozenBytes: 64, trainedBytes: 32, gradientBytes: 32, optimizerBytes: 64 },
  },
  { id: 1, error: 'out of memory' },
];

function wholeItems(): unknown {
  return ['a', 'b'].map((id) => ({
    id,
    length: 8,
    feeds: {
      input_ids: { type: 'int64', dims: [1, 8], data: new BigInt64Array(8) },
      keep: { type: 'bool', dims: [1, 8], data: new Uint8Array(8).fill(1) },
      x: { type: 'float32', dims: [1, 2], data: new Float32Array(2) },
    },
  }));
}

/** What of items is not as they say. */
function problemOf(items: readonly Item[]): string | undefined {
  for (const { id, length, feeds } of items) {
    if (typeof id !== 'string' || !lengths.includes(length)) return 'an item without id or wanted length';
    for (const [name, { type, dims, data }] of Object.entries(feeds)) {
      if (!(data instanceof elementTypes[type].array)) return `${name} is no ${type}`;
      if (data.length !== dims.reduce((all, size) => all * size, 1)) return `${name} has another size than it says`;
      if (name === 'input_ids' && (data as BigInt64Array).some((token) => token < 0n)) return 'a token below 0';
    }
  }
  return undefined;
}
