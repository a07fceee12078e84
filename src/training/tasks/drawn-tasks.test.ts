import assert from 'node:assert/strict';
import test from 'node:test';
import { AttnswapError } from '../../contract/errors.ts';
import { itemOf, keysOf } from '../fixtures/items.ts';
import { splits } from '../task.ts';
import type { Split } from '../task.ts';
import { induction } from './induction.ts';
import { recall, shortestGap } from './recall.ts';
import { splitOf } from './split-of.ts';
import { appendNumber } from './number-words.ts';
import type { Sentence } from './number-words.ts';
import { translate } from './translate.ts';

const small = { pairs: 3, length: 20, keys: 6, values: 4 };
const copies = { symbols: 5, copy: 3, gap: 9, length: 15 };
const sentences = { objects: 2, digits: 2 };
const tasks = [recall(small), induction(copies), translate(sentences)];
const range = (count: number): number[] => [...Array.from({ length: count }).keys()];

for (const task of tasks) {
  test(`${task.name}: the same seed gives the same items, more of them begin with the fewer, another seed gives others`, async () => {
    const [items, again, more, other] = [
      await task.items('train', 20, 1),
      await task.items('train', 20, 1),
      await task.items('train', 30, 1),
      await task.items('train', 20, 2),
    ];
    assert.deepEqual(items, again);
    assert.deepEqual(keysOf(more).slice(0, 20), keysOf(items));
    assert.notDeepEqual(keysOf(other), keysOf(items));
  });

  test(`${task.name}: no item is in two splits, whatever the seeds`, async () => {
    const owner = new Map<string, Split>();
    for (const split of splits)
      for (const seed of [1, 2, 3])
        for (const key of keysOf(await task.items(split, 400, seed))) {
          assert.ok([undefined, split].includes(owner.get(key)), key);
          owner.set(key, split);
        }
    assert.ok(owner.size > 1000);
  });

  test(`${task.name}: tokens and classes are in range, and answers follow from the relevant position`, async () => {
    const { tokens, targets, relevant, length, source } = await task.items('validation', 100, 1);
    assert.ok([...tokens, ...(source?.tokens ?? [])].every((token) => token >= 0 && token < task.vocabulary));
    const offset = task.vocabulary - task.classes;
    targets.forEach((target, at) => {
      if (target === -1) return assert.deepEqual(relevant![at], []);
      assert.ok(target < task.classes);
      if (source !== undefined)
        return assert.ok(relevant![at]!.every((key) => source.tokens[Math.floor(at / length) * source.length + key] !== 0));
      assert.deepEqual(
        relevant![at]!.map((key) => tokens[Math.floor(at / length) * length + key]),
        [offset + target],
      );
    });
  });
}

test('recall asks for every key once, with its value, after half the length', async () => {
  const items = await recall(small).items('test', 200, 1);
  assert.equal(shortestGap(small), 10);
  for (const item of range(200)) {
    const { tokens, targets, relevant } = itemOf(items, item);
    const pairs = new Map(range(3).map((pair) => [tokens[2 * pair]!, tokens[2 * pair + 1]! - 7]));
    assert.equal(pairs.size, 3);
    const asked = range(20).filter((at) => targets[at] !== -1);
    assert.equal(asked.length, 3);
    assert.deepEqual(new Set(asked.map((at) => tokens[at]!)), new Set(pairs.keys()));
    for (const at of asked) {
      assert.equal(targets[at], pairs.get(tokens[at]!));
      assert.ok(at - relevant[at]![0]! >= shortestGap(small));
    }
    const blanks = range(20).filter((at) => at >= 6 && !asked.includes(at));
    assert.ok(blanks.every((at) => tokens[at] === 0));
  }
});

test('answers of recall are spread evenly over values and places', async () => {
  const task = recall({ pairs: 2, length: 12, keys: 4, values: 4 });
  const { targets } = await task.items('train', 3000, 1);
  const count = (of: (target: number, at: number) => boolean) => targets.filter((target, at) => target !== -1 && of(target, at)).length;
  // 6000 answers: four deviations of a binomial count.
  for (const value of range(4)) assert.ok(Math.abs(count((target) => target === value) - 1500) < 4 * Math.sqrt(1125), `value ${value}`);
  for (const place of [9, 10, 11]) assert.ok(Math.abs(count((_, at) => at % 12 === place) - 2000) < 4 * Math.sqrt(1333), `place ${place}`);
});

test('induction copies what follows the marker, gap positions later', async () => {
  const items = await induction(copies).items('test', 200, 1);
  const starts = new Set<number>();
  for (const item of range(200)) {
    const { tokens, targets, relevant } = itemOf(items, item);
    const markers = range(15).filter((at) => tokens[at] === 0);
    assert.equal(markers.length, 2);
    const [start, second] = markers as [number, number];
    assert.equal(second - start, 9);
    starts.add(start);
    const asked = range(15).filter((at) => targets[at] !== -1);
    assert.deepEqual(asked, [second, second + 1, second + 2]);
    asked.forEach((at, step) => {
      assert.deepEqual(relevant[at], [start + 1 + step]);
      assert.equal(at - relevant[at]![0]!, 8);
      assert.equal(targets[at], tokens[start + 1 + step]! - 1);
      if (at + 1 < 15) assert.equal(tokens[at + 1], tokens[start + 1 + step]);
    });
  }
  assert.deepEqual(starts, new Set([0, 1, 2, 3]));
});

test('numbers are written as in British English, and as in German with tens and ones exchanged', () => {
  const written = (value: number) => {
    const sentence: Sentence = { english: [], german: [] };
    appendNumber(sentence, value);
    const [english, german] = [sentence.english.join(' ').replace(' - ', '-'), sentence.german.map(({ word }) => word).join('')];
    return [english, german.replaceAll('-', ''), sentence.german.map(({ word, from }) => `${word} ${sentence.english[from]}`)] as const;
  };
  const known: ReadonlyArray<[number, string, string]> = [
    [2, 'two', 'zwei'],
    [16, 'sixteen', 'sechzehn'],
    [17, 'seventeen', 'siebzehn'],
    [30, 'thirty', 'dreißig'],
    [21, 'twenty-one', 'einundzwanzig'],
    [100, 'one hundred', 'einhundert'],
    [205, 'two hundred and five', 'zweihundertfünf'],
    [776, 'seven hundred and seventy-six', 'siebenhundertsechsundsiebzig'],
    [3421, 'three thousand four hundred and twenty-one', 'dreitausendvierhunderteinundzwanzig'],
    [21_012, 'twenty-one thousand and twelve', 'einundzwanzigtausendzwölf'],
    [101_300, 'one hundred and one thousand three hundred', 'einhunderteintausenddreihundert'],
  ];
  for (const [value, english, german] of known) assert.deepEqual(written(value).slice(0, 2), [english, german]);
  assert.deepEqual(written(321)[2], ['drei three', 'hundert hundred', 'ein one', '-und- -', 'zwanzig twenty']);
});

test('a translation is German: article, subject, hat, what is counted, and the verb at the end', async () => {
  const task = translate(sentences);
  const items = await task.items('test', 200, 1);
  const { length, targets, tokens } = items;
  const numbers = new Set<string>();
  for (const item of range(200)) {
    const row = (values: Int32Array, each = length) => values.subarray(item * each, (item + 1) * each);
    const text = task.translation!.textOf(row(targets));
    const match = /^(Der|Die|Das) [A-ZÄÖÜ]\p{Ll}+ hat (\p{Ll}+) ([A-ZÄÖÜ]\p{Ll}+) und (\p{Ll}+) ([A-ZÄÖÜ]\p{Ll}+) \p{Ll}+\.$/u.exec(text);
    assert.ok(match, text);
    assert.notEqual(match[3], match[5]);
    numbers.add(match[2]!);
    // Written one behind: each position reads what the one before it gives.
    const words = row(targets).filter((target) => target >= 0);
    assert.deepEqual(
      [...row(tokens).subarray(1, words.length)],
      [...words.subarray(0, -1)].map((word) => word + task.vocabulary - task.classes),
    );
    assert.equal(row(tokens)[0], 1);
    // The verb is read at the same place of every source, from as far away as told.
    const verb = words.length - 2;
    const { relevant } = itemOf(items, item);
    assert.deepEqual(relevant[verb], [3]);
    assert.ok(verb - 3 >= 3 * 2 - 1);
    assert.deepEqual(relevant.slice(0, 3), [[1], [1], [2]]);
  }
  assert.ok(numbers.size > 50, [...numbers].join(' '));
});

test('the longest sentences fit, and a translation that does not end is given as far as it goes', async () => {
  for (const objects of [1, 4])
    for (const digits of [1, 2, 3, 6]) {
      const task = translate({ objects, digits });
      const { source, targets, length } = await task.items('train', 300, 1);
      assert.ok(source!.length >= length);
      const longest = Math.max(
        ...range(300).map((item) => targets.subarray(item * length, (item + 1) * length).filter((each) => each >= 0).length),
      );
      assert.ok(longest <= length && (digits > 3 || longest === length), `${longest} of ${length}`);
    }
  const { textOf } = translate(sentences).translation!;
  assert.equal(textOf([0, 3, 3]), 'Der Bauer Bauer');
  assert.equal(textOf([]), '');
});

test('one sequence in eight each is for validation and test', () => {
  const counts = new Map<Split, number>();
  for (const token of range(8000)) {
    const split = splitOf(Int32Array.of(token, 1));
    counts.set(split, (counts.get(split) ?? 0) + 1);
  }
  for (const split of ['validation', 'test'] as const) assert.ok(Math.abs(counts.get(split)! - 1000) < 4 * Math.sqrt(875), split);
});

const refused = (message: RegExp) => (error: unknown) =>
  error instanceof AttnswapError && error.code === 'INVALID_PARAMETERS' && message.test(error.message);

test('parameters that leave no room, and requests that make no sense, are refused', async () => {
  assert.throws(() => recall({ ...small, pairs: 7, length: 60 }), refused(/7 pairs need 7 keys, got 6/));
  assert.throws(() => recall({ ...small, length: 14 }), refused(/3 pairs do not fit into length 14/));
  assert.throws(() => recall({ ...small, values: 1 }), refused(/values is 1, expected a whole number from 2 to 16384/));
  assert.throws(() => induction({ ...copies, gap: 3 }), refused(/a gap of 3 ends within the 3 symbols/));
  assert.throws(() => induction({ ...copies, length: 11 }), refused(/exceed length 11/));
  assert.throws(() => translate({ ...sentences, objects: 17 }), refused(/objects is 17, expected a whole number/));
  assert.throws(() => translate({ ...sentences, digits: 7 }), refused(/digits is 7/));
  const [task] = tasks;
  await assert.rejects(task!.items('train', 0, 1), refused(/0 items, expected a whole number ≥ 1/));
  await assert.rejects(task!.items('train', 2 ** 26, 1), refused(/67108864 items of 20 tokens, expected at most 268435456 tokens/));
  await assert.rejects(task!.items('all' as Split, 1, 1), refused(/split is "all"/));
  await assert.rejects(task!.items('train', 1, 0.5), refused(/seed is 0.5/));
});

test('a task with too few different items says so instead of searching for ever', async () => {
  const task = recall({ pairs: 1, length: 4, keys: 1, values: 2 });
  const results = await Promise.allSettled(splits.map((split) => task.items(split, 1, 1)));
  const reasons = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  assert.ok(reasons.length > 0);
  for (const reason of reasons) assert.ok(refused(/too few distinct items/)(reason));
});
