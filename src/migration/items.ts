import { createHash } from 'node:crypto';
import type { DataModule, Item } from '../contract/data.ts';
import { AttnswapError } from '../contract/errors.ts';
import { drawBelow, seededGenerator } from '../statistics/resample.ts';
import type { ItemUse, Migration } from './migration.ts';
import { tokenRuns } from './token-runs.ts';

type Source = Pick<Migration, 'data' | 'settings' | 'items'>;

/** Calibration items for each one that quality is judged on: tuning looks at many assignments, and only chooses. */
const calibrationShare = 1 / 4;

/**
 * Items that quality is judged on, of every length one at least; `calibration` gives others, fewer, to tune on. Where the data hold no others of
 * a length, some of the same stand in, as the same objects: {@link sharedItems} counts them. `held-out` leaves those out, and what shares text
 * with a judged item; there may be none.
 * @throws INVALID_DATA where there is no item of a length
 */
export function itemsOf(source: Source, use: ItemUse): Promise<readonly Item[]> {
  const { items } = source;
  const made = items.get(use) ?? makers[use](source);
  items.set(use, made);
  return made;
}

const makers = { judging: judgingItems, calibration: calibrationItems, 'held-out': heldOutItems, training: trainingItems };

/** How many of the calibration items quality is judged on, too. */
export async function sharedItems(source: Source): Promise<number> {
  const judged = new Set(await itemsOf(source, 'judging'));
  return (await itemsOf(source, 'calibration')).filter((item) => judged.has(item)).length;
}

async function judgingItems({ data, settings: { lengths, itemsPerLength, seed } }: Source): Promise<readonly Item[]> {
  const items = await data.items({ lengths, itemsPerLength, seed });
  const missing = lengths.find((wanted) => !items.some(({ length }) => length === wanted));
  if (missing === undefined) return items;
  throw new AttnswapError('INVALID_DATA', `data: got ${items.length} items, but none of length ${missing}`, {
    hint: 'use --lengths with lengths that the data has',
  });
}

/** Tensor files, and modules that do not look at the seed, give what they gave before: then more is asked for, and what is known left out. */
async function calibrationItems(source: Source): Promise<readonly Item[]> {
  const { lengths, itemsPerLength, seed } = source.settings;
  const count = Math.max(2, Math.ceil(itemsPerLength * calibrationShare));
  const judged = await itemsOf(source, 'judging');
  const known = new Set(judged.map(contentOf));
  const others = async (asked: number): Promise<Item[]> => {
    const drawn = await source.data.items({ lengths, itemsPerLength: asked, seed: seed + 1 });
    return drawn.filter((item) => !known.has(contentOf(item)));
  };
  const enough = (items: readonly Item[]) => lengths.every((wanted) => items.filter(({ length }) => length === wanted).length >= count);
  const few = await others(count);
  const fresh = enough(few) ? few : await others(count + itemsPerLength);
  return lengths.flatMap((wanted) => {
    const own = fresh.filter(({ length }) => length === wanted);
    return (own.length > 0 ? own : judged.filter(({ length }) => length === wanted)).slice(0, count);
  });
}

async function heldOutItems(source: Source): Promise<readonly Item[]> {
  const judged = await itemsOf(source, 'judging');
  const runs = new Set(judged.flatMap(tokenRuns));
  return (await itemsOf(source, 'calibration')).filter(
    (item) => !judged.includes(item) && !tokenRuns(item).some((tokens) => runs.has(tokens)),
  );
}

/** Items to train on, at most: of all lengths together a batch for each step. */
const mostTrainingItems = 512;

/**
 * In an order that mixes lengths.
 * @throws INVALID_DATA where the data hold none but those that are judged or tuned on, or that share text with them
 */
async function trainingItems(source: Source): Promise<readonly Item[]> {
  const { lengths, itemsPerLength, seed, recover } = source.settings;
  const count = Math.ceil(Math.min((recover!.steps + recover!.labels) * recover!.batch, mostTrainingItems) / lengths.length);
  const others = [...(await itemsOf(source, 'judging')), ...(await itemsOf(source, 'calibration'))];
  const known = new Set(others.map(contentOf));
  const runs = new Set(others.flatMap(tokenRuns));
  const drawn = await asManyAsThereAre(source, { lengths, itemsPerLength: count + 2 * itemsPerLength, seed: seed + 2 });
  const own = new Map(drawn.map((item) => [contentOf(item), item] as const));
  const fresh = [...own].filter(([content, item]) => !known.has(content) && !tokenRuns(item).some((tokens) => runs.has(tokens)));
  if (fresh.length > 0) return fresh.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item);
  const what = `--recover: the data has no items besides the ${known.size} used for judging and tuning`;
  throw new AttnswapError('INVALID_DATA', own.size > known.size ? `${what}, and those that share text with them` : what, {
    hint: 'use more data, or fewer --items',
  });
}

/** A text that is too short for so many passages gives half of them, or a quarter; they are then trained on more often. */
async function asManyAsThereAre({ data }: Pick<Source, 'data'>, asked: Parameters<DataModule['items']>[0]): Promise<readonly Item[]> {
  try {
    return await data.items(asked);
  } catch (error) {
    const fewer = { ...asked, itemsPerLength: Math.floor(asked.itemsPerLength / 2) };
    if (!(error instanceof AttnswapError && error.code === 'INVALID_DATA') || fewer.itemsPerLength === 0) throw error;
    return asManyAsThereAre({ data }, fewer);
  }
}

/** Items in an order of chance, always the same for a seed. */
export function byChance(items: readonly Item[], seed: number): Item[] {
  const generator = seededGenerator(seed, 'order of items');
  const drawn = [...items];
  for (let at = drawn.length - 1; at > 0; at -= 1) {
    const other = drawBelow(generator, at + 1);
    [drawn[at], drawn[other]] = [drawn[other]!, drawn[at]!];
  }
  return drawn;
}

/** What the model gets: an item's name may say less. */
function contentOf({ feeds }: Item): string {
  const hash = createHash('sha256');
  for (const [name, { type, dims, data }] of Object.entries(feeds).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    hash.update(JSON.stringify([name, type, dims])).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hash.digest('hex');
}
