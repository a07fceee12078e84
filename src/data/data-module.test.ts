import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { ModelInput } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { Tensor } from '../contract/tensor.ts';
import { loadData } from './data-module.ts';
import { wordTokenizer } from './fixtures/word-tokenizer.ts';
import { writeTensors } from './tensor-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnswap-data-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function written(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const refused =
  (reason: RegExp, code = 'INVALID_DATA') =>
  (error: unknown) => {
    assert.ok(error instanceof AttnswapError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, reason);
    return true;
  };

const request = { lengths: [4], itemsPerLength: 2, seed: 1 };
const unused = { run: () => Promise.reject(new Error('not to be run')) };
const tensor = `{ type: 'float32', dims: [1, 4], data: new Float32Array(4) }`;
const item = (more = ''): string => `{ id: 'a', length: 4, feeds: { x: ${tensor} }, ${more} }`;
let modules = 0;
const loadModule = (source: string) => loadData(written(`module-${(modules += 1)}.ts`, source), { inputs: [] });

test('a data module gives its items, its scores and what they are', async () => {
  const data = await loadModule(`
    import type { DataModule } from 'attnswap';
    export const metric: string = 'sum';
    export const items: DataModule['items'] = async ({ lengths, itemsPerLength, seed }) => [{ id: 'only', length: lengths[0]!,
      feeds: { x: { type: 'float32', dims: [2], data: Float32Array.of(itemsPerLength, seed) } }, expected: 'y' }];
    export const evaluate: DataModule['evaluate'] = async (model, items) =>
      Promise.all(items.map(async ({ feeds }) => Number((await model.run(feeds))['x']!.data[1])));`);
  const items = await data.items({ lengths: [7], itemsPerLength: 3, seed: 9 });
  const feeds = { x: { type: 'float32', dims: [2], data: Float32Array.of(3, 9) } };
  assert.deepEqual(items, [{ id: 'only', length: 7, feeds, expected: 'y' }]);
  assert.deepEqual(await data.evaluate!({ run: async (given) => given }, items), [9]);
  assert.equal(data.metric, 'sum');
});

test('a module may import attnswap from any folder', async () => {
  const data = await loadModule(`import { AttnswapError } from 'attnswap';
    export async function items() { throw new AttnswapError('UNSUPPORTED', 'not today'); }`);
  await assert.rejects(data.items(request), refused(/^not today$/, 'UNSUPPORTED'));
  assert.deepEqual([data.evaluate, data.metric], [undefined, undefined]);
});

test('a module that is none is refused when it is loaded', async () => {
  const cases: Record<string, RegExp> = {
    '': /exports items as undefined/,
    'export const items = [];': /exports items as object/,
    'export function items() {} export const evaluate = 1;': /exports evaluate as number/,
    'export function items() {} export const metric = 1;': /exports metric as number/,
    "throw new RangeError('out of ink');": /could not be loaded: out of ink/,
    'export const items = ;': /could not be loaded/,
    "import 'no-such-package';": /could not be loaded: Cannot find package/,
  };
  for (const [source, reason] of Object.entries(cases)) await assert.rejects(loadModule(source), refused(reason), source);
});

test('what a module returns is refused where it is no item, with the item named', async () => {
  const cases: Record<string, RegExp> = {
    "throw new Error('no book')": /items\(\) threw: no book/,
    "throw 'just text'": /items\(\) threw: just text/,
    'return undefined': /returned undefined, expected an array/,
    'return []': /returned no item/,
    'return [null]': /item 0: id is not a string/,
    [`return [{ ...${item()}, id: 7 }]`]: /item 0: id is not a string/,
    [`return [${item()}, ${item()}]`]: /item 1 repeats the id "a"/,
    [`return [${item('length: 4.5')}]`]: /length is 4\.5/,
    [`return [${item('length: 5')}]`]: /length is 5, expected one of 4/,
    [`return [${item('feeds: {}')}]`]: /feeds contain no tensor/,
    [`return [${item('feeds: null')}]`]: /feeds contain no tensor/,
    [`return [${item("feeds: { x: { type: 'float99', dims: [], data: [] } }")}]`]: /feed x: type is float99/,
    [`return [${item("feeds: { x: { type: 'int64', dims: [1], data: [1] } }")}]`]: /feed x: data of type int64 is not a BigInt64Array/,
    [`return [${item(`feeds: { x: { ...${tensor}, dims: [5] } }`)}]`]: /feed x: data holds 4 elements, expected 5/,
    [`return [${item(`feeds: { x: { ...${tensor}, dims: 4 } }`)}]`]: /feed x: dims is not an array/,
    [`return [${item('groups: 3')}]`]: /item 0: groups is 3, expected groups of keys/,
    [`return [${item('groups: []')}]`]: /item 0: groups is \[\], expected groups of keys/,
    [`return [${item("groups: [{ name: 'image', from: 0 }]")}]`]: /item 0: groups\.0 is .*, expected groups of keys/,
    [`return [${item("groups: [{ name: 'image', from: 0, to: 2, sites: 1 }]")}]`]:
      /item 0: groups\.0 is .*, expected groups of keys: sites: /,
    [`return [${item("groups: [{ name: 'image', from: 2, to: 2 }]")}]`]: /groups\.0 is .*, expected groups of keys: from is not below to/,
    [`return [${item("groups: [{ name: 'image', from: 0, to: 2, color: 1 }]")}]`]: /expected groups of keys: Unrecognized key: "color"/,
    [`return [${item('groups: new Array(5000)')}]`]: /item 0: groups has 5000 entries, expected groups of keys, 4096 at most/,
  };
  for (const [body, reason] of Object.entries(cases)) {
    const data = await loadModule(`export async function items() { ${body}; }`);
    await assert.rejects(data.items(request), refused(reason), body);
  }
});

test('scores are refused where they are not one finite number an item', async () => {
  const cases: Record<string, RegExp> = {
    'return []': /returned 0, expected 1 score$/,
    'return 1': /returned number, expected 1 score$/,
    'return [NaN]': /returned NaN for item a, expected a finite number/,
    "return ['1']": /returned '1' for item a/,
    "throw new Error('cannot read')": /evaluate\(\) threw: cannot read/,
  };
  for (const [body, reason] of Object.entries(cases)) {
    const data = await loadModule(`export function items() { return [${item()}]; } export function evaluate() { ${body}; }`);
    await assert.rejects(data.evaluate!(unused, await data.items(request)), refused(reason), body);
  }
});

test('a range of scores is given on, and kept to; what it may not be is refused', async () => {
  const source = (more: string, score: string) =>
    `export function items() { return [${item()}]; } export function evaluate() { return ${score}; } export const itemByItem = true; ${more}`;
  const data = await loadModule(source('export const range = { low: -1, high: 1 };', '[-1]'));
  assert.deepEqual([data.range, data.itemByItem], [{ low: -1, high: 1 }, true]);
  assert.deepEqual(await data.evaluate!(unused, await data.items(request)), [-1]);
  const beyond = await loadModule(source('export const range = { low: 0, high: 1 };', '[1.5]'));
  const score = beyond.evaluate!(unused, await beyond.items(request));
  await assert.rejects(score, refused(/returned 1\.5 for item a, expected a number in the exported range, 0 to 1$/));
  const several = await loadModule(source('', '[1, 1]'));
  await assert.rejects(
    several.evaluate!(unused, await several.items(request)),
    refused(/returned 2, expected 1 score; with itemByItem, items are scored one by one$/),
  );
  for (const range of ['[0, 1]', '{ low: 1, high: 1 }', '{ low: 0 }', '{ low: 0, high: Infinity }', 'null', '1'])
    await assert.rejects(loadModule(source(`export const range = ${range};`, '[1]')), refused(/exports range as /), range);
});

const picture: ModelInput = { name: 'x', type: 'float32', dims: ['batch', 3, 'width'] };
const ofWidth = (width: number, batch = 1): Tensor => ({
  type: 'float32',
  dims: [batch, 3, width],
  data: new Float32Array(3 * batch * width).fill(width),
});

async function pictures(...widths: number[]): Promise<readonly string[]> {
  const paths = widths.map((width, index) => join(folder, `${index}-${width}.safetensors`));
  for (const [index, width] of widths.entries()) await writeTensors(paths[index]!, { x: ofWidth(width) });
  return paths;
}

test('tensor files are items by their lengths, as many a length as asked for', async () => {
  const data = await loadData(await pictures(4, 8, 4, 4), { inputs: [picture] });
  const items = await data.items({ lengths: [8, 4], itemsPerLength: 2, seed: 1 });
  assert.deepEqual(
    items.map(({ id, length }) => `${id} ${length}`),
    ['1-8.safetensors 8', '0-4.safetensors 4', '2-4.safetensors 4'],
  );
  assert.deepEqual(items[0]!.feeds, { x: ofWidth(8) });
  assert.equal((await data.items({ lengths: [], itemsPerLength: 9, seed: 1 })).length, 4);
  await assert.rejects(data.items({ lengths: [5], itemsPerLength: 1, seed: 1 }), refused(/no file has length 5; available: 4, 8/));
});

test('the length is the largest dynamic dimension, unless one is named', async () => {
  const path = join(folder, 'batch.safetensors');
  await writeTensors(path, { x: ofWidth(4, 6) });
  const lengthBy = async (dimension?: string) =>
    (
      await (await loadData(path, { inputs: [picture], ...(dimension !== undefined && { dimension }) })).items({ ...request, lengths: [] })
    )[0]!.length;
  assert.equal(await lengthBy(), 6);
  assert.equal(await lengthBy('width'), 4);
  await assert.rejects(lengthBy('height'), refused(/dynamic dimensions are batch, width, expected height/));
});

test('tensor files that do not fit the model are refused when they are loaded', async () => {
  const path = join(folder, 'misfit.safetensors');
  const refuses = async (tensors: Record<string, Tensor>, reason: RegExp, inputs: readonly ModelInput[] = [picture]) => {
    await writeTensors(path, tensors);
    await assert.rejects(loadData(path, { inputs }), refused(reason));
  };
  await refuses({ y: ofWidth(4) }, /holds y, expected the model's inputs x/);
  await refuses({ x: ofWidth(4), y: ofWidth(4) }, /holds x, y/);
  await refuses({ x: { type: 'int8', dims: [1, 3, 1], data: new Int8Array(3) } }, /type is int8, expected float32 \[batch, 3, width\]/);
  await refuses({ x: { type: 'float32', dims: [3], data: new Float32Array(3) } }, /shape is \[3\]/);
  await refuses({ x: { type: 'float32', dims: [1, 1, 3], data: new Float32Array(3) } }, /size 1 of \[1, 1, 3\] is 1 instead of 3/);
  await refuses({ x: ofWidth(4), y: ofWidth(5) }, /size 2 of \[1, 3, 5\] is 5 instead of 4/, [picture, { ...picture, name: 'y' }]);
  await refuses({ x: ofWidth(1) }, /dynamic dimensions are none/, [{ ...picture, dims: [1, 3, 1] }]);
});

test('a text with a tokenizer gives passages', async () => {
  const tokenizer = written('tokenizer.json', JSON.stringify(wordTokenizer));
  const path = written('text.txt', 'call me ishmael some years ago '.repeat(50));
  const inputs: readonly ModelInput[] = [{ name: 'input_ids', type: 'int64', dims: ['batch', 'sequence'] }];
  const items = await (await loadData(path, { inputs, tokenizer })).items({ lengths: [16], itemsPerLength: 2, seed: 3 });
  assert.deepEqual(
    items.map(({ feeds }) => feeds['input_ids']!.dims),
    [
      [1, 16],
      [1, 16],
    ],
  );
  await assert.rejects(loadData(path, { inputs }), refused(/no tokenizer was given/));
  writeFileSync(path, Uint8Array.of(0x61, 0xff));
  await assert.rejects(loadData(path, { inputs, tokenizer }), refused(/is not UTF-8/));
});

test('sources of another kind, of mixed kinds, or none are refused', async () => {
  await assert.rejects(loadData('model.onnx', { inputs: [] }), refused(/"\.onnx", expected \.ts, \.js/));
  await assert.rejects(loadData([], { inputs: [] }), refused(/0 files/));
  await assert.rejects(loadData(['a.npz', 'b.txt'], { inputs: [] }), refused(/2 files of 2 kinds/));
  await assert.rejects(loadData(['a.ts', 'b.ts'], { inputs: [] }), refused(/expected one module/));
  await assert.rejects(loadData('absent.npz', { inputs: [] }), refused(/absent/, 'FILE_UNREADABLE'));
});
