import assert from 'node:assert/strict';
import test from 'node:test';
import { itemOf } from '../fixtures/items.ts';
import { splits } from '../task.ts';
import type { TaskItems } from '../task.ts';
import { hops } from './hops.ts';

const range = (count: number): number[] => [...Array.from({ length: count }).keys()];
const chased = { nodes: 8, values: 3, hops: 4, questions: 3, length: 40, train: 14 };

for (const split of splits)
  test(`hops asks for what its pointers lead to, in ${split} items`, async () => {
    const items = await hops(chased).items(split, 300, 1);
    assert.equal(items.length, split === 'test' ? 40 : 14);
    let mixed = 0;
    for (const item of range(300)) {
      const distances = checkedDistances(items, item);
      assert.equal(Math.max(...distances), items.difficulty![item]);
      if (new Set(distances).size > 1) mixed++;
    }
    assert.ok(split === 'train' ? mixed > 150 : mixed === 0, `${mixed} of 300 ask for near nodes and far ones`);
  });

test('validation and test items of hops are of every difficulty alike, and have two values at that distance', async () => {
  for (const split of ['validation', 'test'] as const) {
    const items = await hops(chased).items(split, 300, 1);
    const ofDifficulty = (depth: number) => items.difficulty!.filter((each) => each === depth).length;
    // Four deviations of a binomial count; 300 in all: there is no other difficulty.
    const counts = [1, 2, 4].map(ofDifficulty);
    for (const count of counts) assert.ok(Math.abs(count - 100) < 4 * Math.sqrt(67), counts.join(', '));
    assert.equal(
      counts.reduce((sum, count) => sum + count),
      300,
    );
    for (const item of range(300)) {
      const asFar = endsOf(itemOf(items, item).tokens).filter(({ path }) => path.size === items.difficulty![item]);
      assert.ok(new Set(asFar.map(({ value }) => value)).size > 1, 'one value at that distance: it need not be looked for');
    }
  }
});

test('difficulties of hops double, up to the hardest', async () => {
  const levelsOf = async (most: number) =>
    [...new Set((await hops({ ...chased, nodes: 14, hops: most, train: 17 }).items('test', 200, 1)).difficulty)].toSorted((a, b) => a - b);
  assert.deepEqual([await levelsOf(1), await levelsOf(2), await levelsOf(5), await levelsOf(7)], [[1], [1, 2], [1, 2, 4, 5], [1, 2, 4, 7]]);
});

test('no pointer of hops finds the next one before it', async () => {
  for (const split of splits) {
    const items = await hops(chased).items(split, 100, 1);
    for (const item of range(100)) {
      const shown = itemOf(items, item).tokens.slice(0, -3);
      for (const [at, token] of shown.entries())
        assert.ok(!shown.slice(0, at).some((earlier) => Math.floor(earlier / 11) === token % 11), `${split} ${item}: ${shown.join(' ')}`);
    }
  }
});

test('hops that cannot be are refused by name', () => {
  const refused = (changes: object, message: RegExp) =>
    assert.throws(() => hops({ ...chased, ...changes }), { code: 'INVALID_PARAMETERS', message });
  refused({ hops: 5 }, /2 chains of 5 hops need 10 nodes, got 8/);
  refused({ train: 10 }, /8 pointers and 3 questions do not fit into 10 tokens/);
  refused({ nodes: 129 }, /nodes/);
});

/** Of every node: the nodes of its chain from it on, and the value at the end. */
function endsOf(tokens: readonly number[]): Array<{ path: Set<number>; value: number }> {
  const pointers = new Map(tokens.slice(0, -3).map((token) => [Math.floor(token / 11), token % 11]));
  assert.equal(pointers.size, 8, 'a node without its pointer, or a token that is none');
  for (const token of tokens.slice(0, -3)) assert.equal(pointers.get(Math.floor(token / 11)), token % 11);
  return range(8).map((node) => {
    const path = new Set<number>();
    let at = node;
    for (; at < 8; at = pointers.get(at)!) path.add(at);
    return { path, value: at - 8 };
  });
}

/** How far the questions of an item are from their values, once these are checked, and the keys that are relevant to them. */
function checkedDistances(items: TaskItems, item: number): number[] {
  const { tokens, targets, relevant } = itemOf(items, item);
  const shown = tokens.slice(0, -3);
  const ends = endsOf(tokens);
  assert.ok(targets.slice(0, -3).every((target) => target === -1));
  return tokens.slice(-3).map((token, question) => {
    const { path, value } = ends[token - 88]!;
    const onPath = [...shown.keys()].filter((place) => path.has(Math.floor(shown[place]! / 11)));
    assert.deepEqual(relevant.at(question - 3), onPath);
    assert.equal(targets.at(question - 3), value);
    return path.size;
  });
}

test('the value that most pointers lead to is right more often than chance, and far from always', async (context) => {
  const [nodes, values] = [16, 4];
  const items = await hops({ nodes, values, hops: 8, questions: 8, length: 1024, train: 24 }).items('test', 1000, 1);
  const right = new Map<number, boolean[]>();
  for (const item of range(1000)) {
    const { tokens, targets } = itemOf(items, item);
    const pointers = new Set(tokens.filter((token) => token < nodes * (nodes + values)));
    const counts = range(values).map((value) => [...pointers].filter((token) => token % (nodes + values) === nodes + value).length);
    const guess = counts.indexOf(Math.max(...counts));
    const answers = [...targets].filter((target) => target >= 0).map((target) => target === guess);
    right.set(items.difficulty![item]!, [...(right.get(items.difficulty![item]!) ?? []), ...answers]);
  }
  for (const [difficulty, answers] of [...right].toSorted(([a], [b]) => a - b)) {
    const share = answers.filter(Boolean).length / answers.length;
    context.diagnostic(`${difficulty} pointers: ${share.toFixed(2)}`);
    assert.ok(share > 1 / values && share < 0.6, `${difficulty}: ${share}`);
  }
});
