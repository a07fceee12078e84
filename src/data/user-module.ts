import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { DataModule, Item } from '../contract/data.ts';
import { AttnswapError } from '../contract/errors.ts';
import { siteKeyGroupSchema } from '../contract/key-groups.ts';
import { hookOwnName } from '../loading/module-hook.ts';
import { checkTensor, invalidData, shown } from './check-tensor.ts';
import { keyGroupFault } from './key-groups-fault.ts';

/**
 * Loads a user's data module; like a suite, it may import `attnswap` from any folder. What it returns is checked on every call.
 * @throws INVALID_DATA where it cannot be loaded, exports no `items`, throws, or returns what is no item or score
 */
export async function loadDataModule(path: string): Promise<DataModule> {
  hookOwnName();
  const { items, evaluate, itemByItem, range, metric, textOf } = await guarded(path, 'could not be loaded', async () => {
    return (await import(pathToFileURL(resolve(path)).href)) as Partial<DataModule>;
  });
  if (typeof items !== 'function') throw invalidData(path, `exports items as ${typeof items}, expected a function`, { hint: example });
  if (!['function', 'undefined'].includes(typeof evaluate))
    throw invalidData(path, `exports evaluate as ${typeof evaluate}, expected a function`);
  if (!['function', 'undefined'].includes(typeof textOf))
    throw invalidData(path, `exports textOf as ${typeof textOf}, expected a function`);
  if (!['boolean', 'undefined'].includes(typeof itemByItem))
    throw invalidData(path, `exports itemByItem as ${typeof itemByItem}, expected true or false`);
  if (range !== undefined && !isRange(range))
    throw invalidData(path, `exports range as ${JSON.stringify(range)}, expected { low, high } with low below high`);
  if (!['string', 'undefined'].includes(typeof metric)) throw invalidData(path, `exports metric as ${typeof metric}, expected a string`);
  return {
    items: async (request) => checkItems(await guarded(path, 'items() threw', () => items(request)), request.lengths, path),
    ...(evaluate !== undefined && {
      evaluate: async (model, given) =>
        checkScores(await guarded(path, 'evaluate() threw', () => evaluate(model, given)), given, { path, itemByItem, range }),
    }),
    ...(itemByItem !== undefined && { itemByItem }),
    ...(range !== undefined && { range }),
    ...(metric !== undefined && { metric }),
    ...(textOf !== undefined && { textOf: async (ids) => checkText(await guarded(path, 'textOf() threw', async () => textOf(ids)), path) }),
  };
}

const example = 'export async function items({ lengths, itemsPerLength, seed }) { return [{ id, length, feeds }] }';

/** Runs the user's code; what it throws becomes INVALID_DATA, unless it says its own code. */
async function guarded<T>(path: string, problem: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (error instanceof AttnswapError) throw error;
    const reason = error instanceof Error ? error.message : typeof error === 'string' ? error : shown(error);
    throw invalidData(path, `${problem}: ${reason}`, { hint: 'run the file with node to see the error', cause: error });
  }
}

function checkItems(items: unknown, lengths: readonly number[], path: string): readonly Item[] {
  if (!Array.isArray(items) || items.length === 0)
    throw invalidData(path, `items() returned ${Array.isArray(items) ? 'no item' : typeof items}, expected an array of items`, {
      hint: example,
    });
  const ids = new Set<string>();
  for (const [index, item] of (items as Item[]).entries()) {
    checkItem(item, lengths, `${path}, item ${index}`);
    if (ids.has(item.id)) throw invalidData(path, `item ${index} repeats the id ${JSON.stringify(item.id.slice(0, 100))}`);
    ids.add(item.id);
  }
  return items as Item[];
}

function checkItem(item: unknown, lengths: readonly number[], source: string): asserts item is Item {
  const { id, length, feeds, groups } = Object(item) as Record<string, unknown>;
  if (typeof id !== 'string' || id === '') throw invalidData(source, 'id is not a string', { hint: example });
  if (!Number.isSafeInteger(length) || (length as number) < 1)
    throw invalidData(source, `length is ${shown(length)}, expected a whole number ≥ 1`, { hint: example });
  if (lengths.length > 0 && !lengths.includes(length as number))
    throw invalidData(source, `length is ${length as number}, expected one of ${lengths.join(', ')}`);
  const tensors = Object.entries(Object(feeds) as object);
  if (tensors.length === 0) throw invalidData(source, 'feeds contain no tensor', { hint: example });
  for (const [name, tensor] of tensors) checkTensor(tensor, `${source}, feed ${name.slice(0, 100)}`);
  if (groups !== undefined) checkGroups(groups, source);
}

/** Groups of one item's keys at most: some of each of many sites. */
const mostGroups = 4096;

function checkGroups(groups: unknown, source: string): void {
  const problem = (got: string, why = '') =>
    invalidData(source, `${got}, expected groups of keys${why}`, {
      hint: "groups: [{ name: 'image', from: 0, to: 196 }], and sites: [1, 3] if not all sites read these keys",
    });
  if (!Array.isArray(groups) || groups.length === 0) throw problem(`groups is ${shown(groups)}`);
  if (groups.length > mostGroups) throw problem(`groups has ${groups.length} entries`, `, ${mostGroups} at most`);
  for (const [at, group] of groups.entries()) {
    const fault = keyGroupFault(group, siteKeyGroupSchema);
    if (fault !== undefined) throw problem(`groups.${at} is ${shown(group)}`, `: ${fault}`);
  }
}

function checkText(text: unknown, path: string): string {
  if (typeof text === 'string') return text;
  throw invalidData(path, `textOf() returned ${shown(text)}, expected a string`);
}

function isRange(range: unknown): range is NonNullable<DataModule['range']> {
  const { low, high } = Object(range) as { low?: unknown; high?: unknown };
  return Number.isFinite(low) && Number.isFinite(high) && (low as number) < (high as number);
}

interface Declared {
  readonly path: string;
  readonly itemByItem: DataModule['itemByItem'] | undefined;
  readonly range: DataModule['range'] | undefined;
}

function checkScores(scores: unknown, given: readonly Item[], { path, itemByItem, range }: Declared): readonly number[] {
  if (!Array.isArray(scores) || scores.length !== given.length) {
    const got = Array.isArray(scores) ? scores.length : typeof scores;
    const alone = itemByItem === true && given.length === 1 ? '; with itemByItem, items are scored one by one' : '';
    throw invalidData(path, `evaluate() returned ${got}, expected ${given.length} score${given.length === 1 ? '' : 's'}${alone}`);
  }
  const { low, high } = range ?? { low: -Infinity, high: Infinity };
  const wrong = scores.findIndex((score) => !(Number.isFinite(score) && score >= low && score <= high));
  if (wrong < 0) return scores as number[];
  const expected = range === undefined ? 'a finite number' : `a number in the exported range, ${low} to ${high}`;
  throw invalidData(path, `evaluate() returned ${shown(scores[wrong])} for item ${given[wrong]!.id.slice(0, 100)}, expected ${expected}`);
}
