import assert from 'node:assert/strict';
import test from 'node:test';
import { AttnswapError } from '../../contract/errors.ts';
import { itemOf, keysOf } from '../fixtures/items.ts';
import { splits } from '../task.ts';
import type { Split, Task, TaskItems } from '../task.ts';
import { clips } from './clips.ts';
import { digits } from './digits.ts';
import { packageFile, requirePackage } from './optional-package.ts';
import { mlm } from './mlm.ts';
import { placeAt } from './novel.ts';
import { prose } from './prose.ts';

const refused = (code: string, message: RegExp) => (error: unknown) =>
  error instanceof AttnswapError && error.code === code && message.test(error.message);

/** How many items a split has, by what is refused beyond. */
async function storedIn(task: Task, split: Split): Promise<number> {
  const error = await task.items(split, 100_000, 1).then(
    () => assert.fail('a hundred thousand items'),
    (reason: Error) => reason,
  );
  return Number(/at most (\d+)/.exec(error.message)![1]);
}

/** What each item is a view of, as text: of a clip the last frame, wherever the digit comes from. */
function viewsOf({ grid }: Task, { items, length, tokens }: TaskItems): string[] {
  const [, ...frame] = grid?.sizes.length === 3 ? grid.sizes : [0, length];
  const shown = frame.reduce((product, size) => product * size);
  return Array.from({ length: items }, (_, item) => tokens.subarray((item + 1) * length - shown, (item + 1) * length).join());
}

for (const task of [
  prose({ length: 64 }),
  mlm({ length: 64 }),
  digits({ side: 28 }),
  digits({ side: 28, patch: 2 }),
  digits({ side: 14 }),
  digits({ side: 14, patch: 2 }),
  digits({ side: 7 }),
  clips({ frames: 2, rest: 1, side: 28 }),
  clips({ frames: 2, rest: 1, side: 14 }),
]) {
  test(`${task.name}: no item is in two splits, and none of validation and test is given twice`, async () => {
    const owner = new Map<string, Split>();
    for (const split of splits) {
      const count = split === 'train' ? 20_000 : await storedIn(task, split);
      const keys = viewsOf(task, await task.items(split, count, 5));
      if (split !== 'train') assert.equal(new Set(keys).size, count);
      for (const key of keys) assert.ok([undefined, split].includes(owner.get(key)));
      for (const key of keys) owner.set(key, split);
    }
  });

  test(`${task.name}: the same seed gives the same items, another seed others`, async () => {
    for (const split of splits) {
      assert.deepEqual(await task.items(split, 20, 1), await task.items(split, 20, 1));
      assert.notDeepEqual(keysOf(await task.items(split, 20, 2)), keysOf(await task.items(split, 20, 1)));
      assert.deepEqual(keysOf(await task.items(split, 30, 1)).slice(0, 20), keysOf(await task.items(split, 20, 1)));
    }
  });
}

test('prose asks for the next character everywhere', async () => {
  const task = prose({ length: 64 });
  for (const split of splits) {
    const items = await task.items(split, 50, 1);
    for (let item = 0; item < 50; item++) {
      const { tokens, targets } = itemOf(items, item);
      assert.deepEqual(targets.slice(0, -1), tokens.slice(1));
      assert.ok(targets.every((target) => target >= 0 && target < task.classes));
    }
  }
});

test('places of prose end where no next character is left', () => {
  const chapters: readonly Int32Array[] = [new Int32Array(5), new Int32Array(4)];
  const places = [0, 1, 2].map((number) => placeAt(chapters, number, 3));
  assert.deepEqual(
    places.map(({ chapter, start }) => [chapters.indexOf(chapter), start]),
    [
      [0, 0],
      [0, 1],
      [1, 0],
    ],
  );
  assert.throws(() => placeAt(chapters, 3, 3), RangeError);
});

test('prose reads nearly every character, and a sixth of it is for validation and test each', async () => {
  const task = prose({ length: 128 });
  const { tokens } = await task.items('train', 2000, 1);
  assert.ok(tokens.filter((token) => token === 0).length < 1e-4 * tokens.length);
  const [validation, held] = [await storedIn(task, 'validation'), await storedIn(task, 'test')];
  assert.ok(Math.min(validation, held) > 1000, `${validation} and ${held}`);
});

test('mlm hides 15 % of the characters, most of them behind a mask, and asks for them alone', async () => {
  const task = mlm({ length: 128 });
  const { tokens, targets } = await task.items('train', 1000, 1);
  const shown = { masked: 0, other: 0, own: 0 };
  targets.forEach((target, at) => {
    if (target === -1) return assert.ok(tokens[at]! < task.classes);
    assert.ok(target < task.classes);
    shown[tokens[at] === task.classes ? 'masked' : tokens[at] === target ? 'own' : 'other'] += 1;
  });
  const asked = 1000 * Math.round(0.15 * 128);
  assert.equal(shown.masked + shown.other + shown.own, asked);
  // Within five standard deviations of a drawn share.
  const near = (count: number, share: number) => assert.ok(Math.abs(count / asked - share) < 5 * Math.sqrt((share * (1 - share)) / asked));
  near(shown.masked, 0.8);
  near(shown.own, 0.1 + 0.1 / task.classes);
});

test('digits are a token to be read out at, and 784 levels of grey', async () => {
  const task = digits({ side: 28 });
  assert.deepEqual([task.length, task.vocabulary, task.causal], [785, 17, false]);
  const items = await task.items('test', 200, 1);
  const seen = new Set<number>();
  for (let item = 0; item < 200; item++) {
    const { tokens, targets } = itemOf(items, item);
    assert.equal(tokens[0], 16);
    assert.ok(tokens.slice(1).every((token) => token >= 0 && token < 16));
    assert.ok(targets.slice(1).every((target) => target === -1));
    seen.add(targets[0]!);
  }
  assert.equal(seen.size, 10);
});

test('smaller digits are the same images, each level the mean of a square of pixels', async () => {
  const [whole, half] = [await digits({ side: 28 }).items('train', 50, 1), await digits({ side: 14 }).items('train', 50, 1)];
  assert.equal(half.length, 197);
  for (let item = 0; item < 50; item++) {
    const [large, small] = [itemOf(whole, item), itemOf(half, item)];
    assert.equal(large.targets[0], small.targets[0]);
    for (let at = 0; at < 196; at++) {
      const corner = 2 * Math.floor(at / 14) * 28 + 2 * (at % 14);
      const mean = [1, 2, 29, 30].reduce((sum, step) => sum + large.tokens[corner + step]! / 4, 0);
      // Levels are rounded down: the mean's lies less than one above the levels' mean, or below by rounding itself.
      assert.ok(Math.abs(small.tokens[1 + at]! - mean) < 1, `${item}: ${small.tokens[1 + at]} and ${mean}`);
    }
  }
});

/** Patches of 2 × 2 of 14 × 14 pixels in 16 levels of grey. */
function blackAndWhite(pixels: readonly number[]): number[] {
  return Array.from({ length: 49 }, (_, at) => {
    const corner = 2 * Math.floor(at / 7) * 14 + 2 * (at % 7);
    return parseInt([1, 2, 15, 16].map((step) => Math.floor(pixels[corner + step - 1]! / 8)).join(''), 2);
  });
}

test('patches are the same images in black and white, row by row', async () => {
  const [whole, patched] = [await digits({ side: 14 }).items('train', 50, 1), await digits({ side: 14, patch: 2 }).items('train', 50, 1)];
  assert.deepEqual([patched.length, digits({ side: 14, patch: 2 }).vocabulary], [50, 17]);
  for (let item = 0; item < 50; item++) {
    const [pixels, patches] = [itemOf(whole, item), itemOf(patched, item)];
    assert.equal(pixels.targets[0], patches.targets[0]);
    assert.deepEqual(patches.tokens, [16, ...blackAndWhite(pixels.tokens.slice(1))]);
  }
});

test('of images that look alike once cut, a split has one, and none where an earlier split has it; all others stay', async () => {
  const [fine, coarse] = [digits({ side: 14 }), digits({ side: 14, patch: 2 })];
  const earlier = new Set<string>();
  for (const split of splits) {
    const all = async (task: Task) => task.items(split, split === 'train' ? 8500 : await storedIn(task, split), 1);
    const images = await all(fine);
    const looks = Array.from({ length: images.items }, (_, item) => blackAndWhite(itemOf(images, item).tokens.slice(1)).join());
    const unseen = new Set(looks.filter((look) => !earlier.has(look)));
    assert.deepEqual(new Set(viewsOf(coarse, await all(coarse)).map((key) => key.slice(3))), unseen);
    if (split !== 'train') assert.ok(unseen.size < looks.length, `${split} has no image that looks like another`);
    for (const look of looks) earlier.add(look);
  }
});

test('clips end with frames that are alike, and only those before tell where the digit comes from', async () => {
  const task = clips({ frames: 4, rest: 2, side: 14 });
  assert.deepEqual([task.length, task.vocabulary, task.classes], [100, 16, 40]);
  const items = await task.items('test', 300, 1);
  const origins = new Set<number>();
  for (let item = 0; item < 300; item++) {
    const { tokens, targets } = itemOf(items, item);
    const [far, near, still, last] = [0, 1, 2, 3].map((frame) => tokens.slice(25 * frame, 25 * (frame + 1)));
    assert.deepEqual(last, still);
    assert.ok(targets.every((target, at) => (at === 3 * 25 + 12 ? target >= 0 && target < 40 : target === -1)));
    const origin = targets[3 * 25 + 12]! % 4;
    origins.add(origin);
    const [down, right] = [
      [0, -1],
      [0, 1],
      [-1, 0],
      [1, 0],
    ][origin] as [number, number];
    const moved = (by: number) =>
      Array.from({ length: 25 }, (_, at) => {
        const [row, column] = [Math.floor(at / 5) - by * down, (at % 5) - by * right];
        return Math.min(row, column) < 0 || Math.max(row, column) > 4 ? 0 : still![5 * row + column]!;
      });
    assert.deepEqual([near, far], [moved(2), moved(4)]);
  }
  assert.equal(origins.size, 4);
});

test('the last frame of clips is the middle of the images of digits, which have few strokes in their margin', async () => {
  const [frames, images] = [
    await clips({ frames: 2, rest: 1, side: 28 }).items('test', 900, 1),
    await digits({ side: 28, patch: 2 }).items('test', 900, 1),
  ];
  const middles = new Set<string>();
  const black = { margin: 0, all: 0 };
  for (let item = 0; item < 900; item++) {
    const image = itemOf(images, item).tokens.slice(1);
    const isMiddle = (at: number) => [Math.floor(at / 14), at % 14].every((place) => place >= 2 && place < 12);
    middles.add(image.filter((_, at) => isMiddle(at)).join());
    black.margin += image.filter((token, at) => !isMiddle(at) && token !== 0).length;
    black.all += image.filter((token) => token !== 0).length;
  }
  const found = Array.from({ length: 900 }, (_, item) => itemOf(frames, item).tokens.slice(100).join()).filter((key) => middles.has(key));
  assert.ok(found.length > 700, `${found.length} of 900`);
  assert.ok(black.margin < 0.05 * black.all, `${black.margin} of ${black.all}`);
});

test('training goes through every digit once before it repeats one', async () => {
  const task = digits({ side: 7 });
  const { targets } = await task.items('train', 16_000, 1);
  const counts = new Map<number, number>();
  for (const target of targets) if (target >= 0) counts.set(target, (counts.get(target) ?? 0) + 1);
  assert.equal(
    [...counts.values()].reduce((sum, count) => sum + count, 0),
    16_000,
  );
  assert.equal(counts.size, 10);
});

test('more items than there are, other sides and too short texts are refused', async () => {
  await assert.rejects(digits({ side: 28 }).items('test', 5000, 1), refused('INVALID_PARAMETERS', /5000 test items, expected at most/));
  assert.throws(() => digits({ side: 27 as 28 }), refused('INVALID_PARAMETERS', /side is 27, expected one of 28, 14, 7/));
  assert.throws(() => digits({ side: 14, patch: 3 as 2 }), refused('INVALID_PARAMETERS', /patch is 3, expected 2/));
  assert.throws(() => digits({ side: 7, patch: 2 }), refused('INVALID_PARAMETERS', /side must be a multiple of patch/));
  assert.throws(() => clips({ frames: 3, rest: 3, side: 14 }), refused('INVALID_PARAMETERS', /rest must be below frames/));
  assert.throws(
    () => clips({ frames: 1, rest: 1, side: 14 }),
    refused('INVALID_PARAMETERS', /frames is 1, expected a whole number from 2 to 64/),
  );
  assert.throws(() => prose({ length: 8 }), refused('INVALID_PARAMETERS', /length is 8, expected a whole number from 64 to 16384/));
});

test('a package that is not there is named, with the command that installs it', () => {
  const missing = (error: unknown) =>
    refused('INVALID_DATA', /task digits needs the package no-such-package/)(error) &&
    (error as AttnswapError).hint === 'npm install no-such-package';
  assert.throws(() => requirePackage('no-such-package', 'digits'), missing);
  assert.throws(() => packageFile('no-such-package', 'data.json', 'digits'), missing);
});
