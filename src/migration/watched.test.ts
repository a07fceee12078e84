import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Item } from '../contract/data.ts';
import { byChance } from './items.ts';
import type { Migration } from './migration.ts';
import { originalScores, qualityOf } from './quality-of.ts';

const items = Array.from({ length: 400 }, (_, at): Item => {
  const data = Float32Array.of(at, -1);
  return { id: `item ${at}`, length: at < 396 ? 16 : 64, feeds: { x: { type: 'float32', dims: [1, 2], data } } };
});

/** A migration of a model that gives its input back, and how often a candidate ran that changes it by `change`. */
function migrationOf(change: (x: number) => number, more: object = {}) {
  const ran: number[] = [];
  const open = async () => ({
    inputs: [],
    bind: ({ x }: Item['feeds']) => {
      const [first, second] = x!.data as Float32Array;
      const y = { ...x!, data: Float32Array.of(change(first!), second!) };
      return { run: async () => void ran.push(first!), outputs: () => ({ y }) };
    },
    dispose: async () => undefined,
  });
  const outputs = { using: (work: (of: unknown) => unknown) => work(async ({ feeds }: Item) => ({ y: feeds['x'] })) };
  /** Right where the output is the input. */
  const evaluate = async (model: { run(feeds: Item['feeds']): Promise<Item['feeds']> }, given: readonly Item[]) => {
    const scores: number[] = [];
    for (const { feeds } of given) scores.push((await model.run(feeds))['y']!.data[0] === feeds['x']!.data[0] ? 1 : 0);
    return scores;
  };
  const { data, ...settings } = more as { data?: object };
  const declared = { itemByItem: true, range: { low: 0, high: 1 }, ...data };
  const migration = { settings: { seed: 1, qualityMargin: 0.02, ...settings }, outputs, data: { evaluate, ...declared } };
  return { ran, open, migration: migration as unknown as Migration };
}
const right = items.map(() => 1);
const exactness = { tolerance: 1e-5, exception: null };

test('a candidate that is wrong on most items is rejected after a few; where all items count, after all', async () => {
  const wrong = (x: number) => (x % 3 === 0 ? x : x + 1);
  const { ran, open, migration } = migrationOf(wrong);
  const { judgement, task } = await qualityOf(migration, open as never, { items, base: right, exactness: null });
  assert.equal(judgement.outcome, 'regression');
  assert.ok(judgement.marginsLost > 5 && task!.items < 40 && ran.length < 42, `${task!.items}`);
  assert.match(judgement.reason, new RegExp(`over ${task!.items} of 400 items, always-valid 95 % bound`));
  for (const more of [{ allItems: true }, { data: { itemByItem: false } }, { data: { range: undefined } }, { recover: {} }]) {
    const all = migrationOf(wrong, more);
    const found = await qualityOf(all.migration, all.open as never, { items, base: right, exactness: null });
    assert.deepEqual([found.task!.items, found.task!.of, found.judgement.outcome], [400, undefined, 'regression'], JSON.stringify(more));
  }
});

test('losses that all come last in the data are met on the way: the order is the drawn one, and no pass comes early', async () => {
  const { ran, open, migration } = migrationOf((x) => (x >= 360 ? x + 1 : x));
  const { judgement, task } = await qualityOf(migration, open as never, { items, base: right, exactness: null });
  assert.equal(judgement.outcome, 'regression', judgement.reason);
  assert.ok(task!.lost > 0);
  const order = byChance(items, 1).map(({ id }) => Number(id.slice(5)));
  const scored = ran.slice(-task!.items);
  assert.deepEqual(scored, order.slice(0, scored.length));
});

test('scores that depend on what they are asked with, though the module says otherwise, favour no model', async () => {
  const sizes: number[] = [];
  const { open, migration } = migrationOf((x) => x);
  /** Of one item alone 1, of several 0. */
  const evaluate = async (_: unknown, given: readonly Item[]) => {
    sizes.push(given.length);
    return given.map(() => (given.length === 1 ? 1 : 0));
  };
  const misled = { ...migration, data: { ...migration.data, evaluate }, subject: { open } } as unknown as Migration;
  const base = await originalScores(misled, items);
  const { task } = await qualityOf(misled, open as never, { items, base, exactness: null });
  assert.deepEqual([task!.difference, task!.base], [0, 1]);
  assert.deepEqual([...new Set(sizes)], [1]);
  const inOne = { ...misled, settings: { ...misled.settings, allItems: true } } as Migration;
  assert.deepEqual(
    await originalScores(inOne, items),
    items.map(() => 0),
  );
});

test('an exact replacement is compared on all items, and on no more than shows a fault', async () => {
  const exact = migrationOf((x) => x);
  const { judgement } = await qualityOf(exact.migration, exact.open as never, { items, base: null, exactness });
  assert.equal(exact.ran.length, 400);
  assert.match(judgement.reason, /the outputs of all 400 items \(16 and 64 tokens\) differ by at most 0 of/);
  const faulty = migrationOf((x) => (x === exact.ran[5] ? x + 1 : x));
  const found = await qualityOf(faulty.migration, faulty.open as never, { items, base: null, exactness });
  assert.equal(faulty.ran.length, 6);
  assert.deepEqual([found.judgement.outcome, found.judgement.marginsLost], ['regression', Infinity]);
  assert.match(found.judgement.reason, new RegExp(`at item item ${exact.ran[5]} of 6 of 400 items`));
});

test('drift that no one accepts is shown by a few items, and a pass takes all', async () => {
  const far = migrationOf((x) => 3 * x + 10);
  const found = await qualityOf(far.migration, far.open as never, { items, base: null, exactness: null });
  assert.ok(found.judgement.outcome === 'regression' && far.ran.length < 10, `${far.ran.length}: ${found.judgement.reason}`);
  const near = migrationOf((x) => x * (1 + 1e-4 * (x % 7)));
  assert.equal((await qualityOf(near.migration, near.open as never, { items, base: null, exactness: null })).judgement.outcome, 'pass');
  assert.equal(near.ran.length, 400);
});

test('the order is one of chance, and that of the seed', () => {
  const order = (seed: number) => byChance(items, seed).map(({ id }) => id);
  assert.deepEqual(order(1), order(1));
  assert.notDeepEqual(order(1), order(2));
  assert.deepEqual(order(1).toSorted(), items.map(({ id }) => id).toSorted());
});
