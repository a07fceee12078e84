import { AttnswapError } from '../../contract/errors.ts';

/** Milliseconds after which items that fail together are not tried apart any more. */
const mostMs = 120_000;

/**
 * Which of some items make work on all of them fail, each with its error. What fails is halved and tried again, so that one such item among many
 * costs few tries.
 * @throws what is no fault of an item's: see {@link asFault}
 */
export async function failing<Item>(
  items: readonly Item[],
  work: (items: readonly Item[]) => Promise<unknown>,
  until = performance.now() + mostMs,
): Promise<Map<Item, Error>> {
  const fault = await work(items).then(() => undefined, asFault);
  if (fault === undefined || items.length === 0) return new Map();
  // Without time to tell them apart, all of them fail.
  if (items.length === 1 || performance.now() > until) return new Map(items.map((item) => [item, fault]));
  const middle = items.length >> 1;
  const halves = [await failing(items.slice(0, middle), work, until), await failing(items.slice(middle), work, until)];
  return new Map(halves.flatMap((half) => [...half]));
}

/** An error that something in a model's graph may have caused. @throws any other: a backend that is missing, an interruption */
export function asFault(error: unknown): Error {
  if (error instanceof AttnswapError && !isRefused(error)) throw error;
  return error as Error;
}

/** Whether a runtime refuses a model, or runs it on no inputs that could be found. */
export function isRefused(error: unknown): error is AttnswapError {
  return error instanceof AttnswapError && ['INVALID_MODEL', 'INVALID_INPUTS'].includes(error.code);
}

/** What an error says, on one line. */
export function saidBy({ message }: Error): string {
  return message.replaceAll(/\s+/g, ' ').trim().slice(0, 500);
}
