import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AttnswapError } from '../contract/errors.ts';
import type { DataModule, Item } from '../contract/data.ts';
import { itemsOf, sharedItems } from './items.ts';
import type { Migration, MigrationSettings } from './migration.ts';

const item = (length: number, value: number): Item => ({
  id: `${length}-${value}`,
  length,
  feeds: { x: { type: 'float32', dims: [1], data: Float32Array.of(length + value / 100) } },
});

function source(items: DataModule['items'], itemsPerLength = 4): Pick<Migration, 'data' | 'settings' | 'items'> {
  const settings = {
    lengths: [8, 16],
    itemsPerLength,
    seed: 1,
    recover: { steps: 4, labels: 8, batch: 1 },
  } as unknown as MigrationSettings;
  return { data: { items }, settings, items: new Map() };
}

/** As many as there are, whatever the seed. */
const fixed =
  (count: number): DataModule['items'] =>
  async ({ lengths, itemsPerLength }) =>
    lengths.flatMap((length) => Array.from({ length: Math.min(count, itemsPerLength) }, (_, at) => item(length, at)));

/** 16 of the square numbers. Positions and masks, padded on the left, are the same in all. */
function passage(start: number): Item {
  const row = (valueAt: (at: number) => number) =>
    ({ type: 'int64', dims: [1, 16], data: BigInt64Array.from({ length: 16 }, (_, at) => BigInt(valueAt(at))) }) as const;
  const feeds = { tokens: row((at) => (start + at) ** 2), keep: row((at) => +(at > 1)), positions: row((at) => (at > 1 ? at - 2 : 1)) };
  return { id: `${start}`, length: 16, feeds };
}

const ids = (items: readonly Item[]) => items.map(({ id }) => id);

test('items that follow the seed are tuned on as they come', async () => {
  const drawn = source(async ({ lengths, itemsPerLength, seed }) =>
    lengths.flatMap((length) => Array.from({ length: itemsPerLength }, (_, at) => item(length, 10 * seed + at))),
  );
  assert.deepEqual(ids(await itemsOf(drawn, 'calibration')), ['8-20', '8-21', '16-20', '16-21']);
  assert.equal(await sharedItems(drawn), 0);
});

test('data that ignore the seed are tuned on beyond what quality is judged on', async () => {
  const files = source(fixed(9));
  assert.deepEqual(ids(await itemsOf(files, 'judging')).slice(0, 4), ['8-0', '8-1', '8-2', '8-3']);
  assert.deepEqual(ids(await itemsOf(files, 'calibration')), ['8-4', '8-5', '16-4', '16-5']);
  assert.equal(await sharedItems(files), 0);
});

test('where the data hold no others the same items stand in, and are counted', async () => {
  const few = source(fixed(3));
  assert.deepEqual(ids(await itemsOf(few, 'calibration')), ['8-0', '8-1', '16-0', '16-1']);
  assert.equal(await sharedItems(few), 4);
});

test('held-out items leave out those that stand in, and those that share text with a judged one', async () => {
  assert.deepEqual(ids(await itemsOf(source(fixed(9)), 'held-out')), ['8-4', '8-5', '16-4', '16-5']);
  assert.deepEqual(ids(await itemsOf(source(fixed(5)), 'held-out')), ['8-4', '16-4']);
  assert.deepEqual(ids(await itemsOf(source(fixed(3)), 'held-out')), []);
  const passages = (seed: number) => (seed === 1 ? [passage(0), passage(100)] : [passage(3), passage(104)]);
  const text = source(async ({ seed }) => passages(seed), 2);
  // 3 shares 13 tokens with 0; 104 shares 12 with 100.
  assert.deepEqual(ids(await itemsOf({ ...text, settings: { ...text.settings, lengths: [16] } }, 'held-out')), ['104']);
});

test('what is trained on is neither judged nor tuned on', async () => {
  assert.deepEqual(ids(await itemsOf(source(fixed(9)), 'training')).toSorted(), ['16-6', '16-7', '16-8', '8-6', '8-7', '8-8']);
  await assert.rejects(itemsOf(source(fixed(6)), 'training'), { code: 'INVALID_DATA', message: /no items besides the 12 / });
});

test('of a text that is too short for so many items, those that it has are trained on', async () => {
  const short = source(async ({ lengths, itemsPerLength, seed }) => {
    if (itemsPerLength > 9) throw new AttnswapError('INVALID_DATA', 'fewer places than passages');
    return lengths.flatMap((length) => Array.from({ length: itemsPerLength }, (_, at) => item(length, 10 * seed + at)));
  });
  // 14 were asked for: half of the 12 steps of each length, and what may be judged or tuned on.
  assert.equal((await itemsOf(short, 'training')).length, 2 * 7);
});

test('passages that share text with a judged one are not trained on', async () => {
  const known: Record<number, number[]> = { 1: [0, 100], 2: [200, 300] };
  const drawn = (trained: number[]) => {
    const text = source(async ({ seed }) => (seed === 3 ? trained : known[seed]!).map(passage), 2);
    return { ...text, settings: { ...text.settings, lengths: [16] } };
  };
  // 3 shares 13 tokens with 0; 104 shares 12 with 100.
  assert.deepEqual(ids(await itemsOf(drawn([3, 104, 288, 500]), 'training')).toSorted(), ['104', '288', '500']);
  await assert.rejects(itemsOf(drawn([0, 1, 2, 98, 203]), 'training'), {
    code: 'INVALID_DATA',
    message: /the 4 used for judging and tuning, and those that share text/,
  });
});

test('a length without items is refused by name', async () => {
  const gap = source(async () => [item(8, 0)]);
  await assert.rejects(
    itemsOf(gap, 'judging'),
    (error: unknown) => error instanceof AttnswapError && error.code === 'INVALID_DATA' && /none of length 16/.test(error.message),
  );
});
