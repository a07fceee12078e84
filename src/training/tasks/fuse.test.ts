import assert from 'node:assert/strict';
import { test } from 'node:test';
import { itemOf } from '../fixtures/items.ts';
import { smallTestbed, stirredWeights, translating } from '../fixtures/small-testbed.ts';
import { referenceForward } from '../reference-forward.ts';
import { oneItem } from '../task.ts';
import type { TaskItems } from '../task.ts';
import type { Testbed } from '../testbed.ts';
import { fuse } from './fuse.ts';
import type { FuseParameters } from './fuse.ts';

const quick = { side: 4, colors: 8, patterns: 16, questions: 16, streams: 2 };
const range = (count: number): number[] => [...Array.from({ length: count }).keys()];

/** An item read back from its tokens: the color and the pattern of each tile, and the questions. */
function readItem(items: TaskItems, item: number, { side, colors, patterns, questions, streams }: FuseParameters) {
  const { tokens, targets, relevant } = itemOf(items, item);
  const picture = streams === 1 ? tokens : [...oneItem(items, item).source!.tokens];
  const across = 2 * side;
  const placesOf = (tile: number) => [0, 1, across, across + 1].map((at) => 2 * across * Math.floor(tile / side) + 2 * (tile % side) + at);
  const tiles = range(side ** 2).map((tile) => {
    const [patch, ...others] = placesOf(tile).map((at) => picture[at]!);
    assert.deepEqual(others, [patch, patch, patch]);
    return { color: Math.floor(patch! / patterns), pattern: patch! % patterns };
  });
  const asked = range(questions).map((question) => {
    const at = tokens.length - questions + question;
    return { pattern: tokens[at]! - colors * patterns, answer: targets[at]!, relevant: relevant[at]! };
  });
  assert.ok(targets.slice(0, -questions).every((target) => target === -1));
  return { tiles, asked, placesOf };
}

for (const parameters of [quick, { ...quick, streams: 1 }, { side: 6, colors: 3, patterns: 40, questions: 5, streams: 2 }])
  test(`questions are answered by the upper half of the picture, evenly: ${Object.values(parameters).join(' ')}`, async () => {
    const { side, colors, questions } = parameters;
    const upper = side ** 2 / 2;
    const items = await fuse(parameters).items('test', 100, 1);
    const counts = new Int32Array(upper);
    for (const item of range(100)) {
      const { tiles, asked, placesOf } = readItem(items, item, parameters);
      assert.equal(new Set(tiles.map(({ pattern }) => pattern)).size, side ** 2, 'two tiles with one pattern');
      for (const { pattern, answer, relevant } of asked) {
        const tile = tiles.findIndex((each) => each.pattern === pattern);
        assert.ok(tile >= 0 && tile < upper, `tile ${tile} is asked for`);
        counts[tile]! += 1;
        assert.deepEqual([answer, relevant], [tiles[tile]!.color, placesOf(tile)]);
      }
      // Read alone, a picture does not tell which of its tiles is asked for, and each color has as many of them.
      for (const color of range(colors)) assert.equal(tiles.slice(0, upper).filter((tile) => tile.color === color).length, upper / colors);
    }
    const [drawn, share] = [100 * questions, 1 / upper];
    for (const count of counts) assert.ok(Math.abs(count - drawn * share) < 4 * Math.sqrt(drawn * share * (1 - share)), counts.join(' '));
  });

test('neither the questions alone, nor with the lower half of the picture, nor the picture alone say more than chance', async () => {
  const task = fuse(quick);
  assert.equal(task.chance, 1 / 8);
  const [known, fresh] = [await task.items('train', 4000, 1), await task.items('test', 2000, 2)];
  type Read = ReturnType<typeof readItem>;
  /** What each reader goes by: the answer that is most frequent with it in known items is its answer in fresh ones. */
  const readers: Record<string, (item: Read, question: number) => string> = {
    questions: ({ asked }, question) => `${asked[question]!.pattern}`,
    'questions and their place': ({ asked }, question) => `${asked[question]!.pattern} ${question}`,
    'questions and lower half': ({ asked, tiles }, question) => `${asked[question]!.pattern} ${tiles[8]!.color} ${tiles[8]!.pattern}`,
    picture: ({ tiles }, question) => `${tiles[0]!.color} ${tiles[7]!.color} ${question}`,
  };
  const read = (items: TaskItems) => range(items.items).map((item) => readItem(items, item, quick));
  const [knownItems, freshItems] = [read(known), read(fresh)];
  for (const [name, keyOf] of Object.entries(readers)) {
    const counts = new Map<string, number[]>();
    for (const item of knownItems)
      for (const [question, { answer }] of item.asked.entries()) {
        const seen = counts.get(keyOf(item, question)) ?? range(8).map(() => 0);
        seen[answer]! += 1;
        counts.set(keyOf(item, question), seen);
      }
    const right = freshItems.map((item) =>
      item.asked.filter(({ answer }, question) => {
        const seen = counts.get(keyOf(item, question)) ?? [0];
        return seen.indexOf(Math.max(...seen)) === answer;
      }),
    );
    const mean = right.flat().length / (2000 * quick.questions);
    // Questions about one picture are not independent: the spread is that of items.
    const deviation = Math.sqrt(right.reduce((sum, { length }) => sum + (length / quick.questions - mean) ** 2, 0) / 2000);
    assert.ok(Math.abs(mean - 1 / 8) < (4 * deviation) / Math.sqrt(2000), `${name}: ${mean}`);
  }
});

/** Whether logits at any question change where a patch of the picture's upper half does. */
function reachesUpperHalf(testbed: Testbed, items: TaskItems, { streams }: FuseParameters): boolean {
  const weights = stirredWeights(testbed);
  const changed = (tokens: Int32Array) => tokens.map((token, at) => (at < 32 ? (token + 1) % 128 : token));
  const { source, tokens } = items;
  const other =
    streams === 1 ? { ...items, tokens: changed(tokens) } : { ...items, source: { ...source!, tokens: changed(source!.tokens) } };
  const [before, after] = [items, other].map((batch) => referenceForward(testbed, weights, batch));
  return items.targets.some(
    (target, at) =>
      target >= 0 && range(testbed.classes).some((c) => before![at * testbed.classes + c] !== after![at * testbed.classes + c]),
  );
}

test('windows that are too narrow see nothing of what is asked for, wider ones do', async () => {
  const sizes = { width: 16, hidden: 16 };
  const testbedWith = (parameters: FuseParameters, w: number): Testbed => {
    const { vocabulary, classes, length, sourceLength } = fuse(parameters);
    const all = [`window:w=${w}`, `window:w=${w}`];
    const shared = { ...sizes, vocabulary, classes, length, attention: all };
    if (sourceLength === undefined) return smallTestbed({ ...shared, causal: false });
    return translating({ ...shared, encoder: { length: sourceLength, attention: all, cross: all } });
  };
  // (E + 1)·⌊w/2⌋ ≤ 2·16 − 16 of two streams, D·⌊w/2⌋ ≤ 2·16 of one.
  for (const [streams, widest] of [
    [2, 11],
    [1, 33],
  ] as const) {
    const parameters = { ...quick, streams };
    const items = await fuse(parameters).items('test', 1, 1);
    const reaches = (w: number) => reachesUpperHalf(testbedWith(parameters, w), items, parameters);
    assert.deepEqual([reaches(8), reaches(widest), reaches(widest + 3)], [false, false, true], `${streams} streams`);
  }
});

test('pictures that cannot be are refused by name', () => {
  const refused = (changes: object, message: RegExp) =>
    assert.throws(() => fuse({ ...quick, ...changes }), { code: 'INVALID_PARAMETERS', message });
  refused({ side: 5, patterns: 25 }, /side is 5, expected an even number/);
  refused({ side: 6, colors: 9 }, /36 tiles need 36 patterns, got 16/);
  refused({ colors: 3 }, /half of 16 tiles cannot have 3 colors, each equally often/);
  refused({ questions: 65 }, /65 questions are more than the picture's 64 patches/);
  refused({ streams: 3 }, /streams/);
});
