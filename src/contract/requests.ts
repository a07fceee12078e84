import type { Shape } from './shape.ts';

/** Requests that are alike: `count` sequences of `keys` tokens, of which the last `queries` are new. */
export interface Requests {
  readonly count: number;
  readonly queries: number;
  readonly keys: number;
}

const part = /^(?<count>\d{1,4})?q(?<queries>\d{1,7})(?<queriesK>k)?(?:s(?<keys>\d{1,7})(?<keysK>k)?)?$/;
const thousand = 1024;

/**
 * Reads a batch such as `q2k` (a prefill of 2048 tokens), `q1s4k` (one new token behind 4095 others), `8q1s1k` (eight such requests) or
 * `2q2k_32q1s1k` (both kinds): the notation of vLLM's attention benchmarks. Undefined for any other text.
 */
export function readRequests(text: string): readonly Requests[] | undefined {
  const requests = text.split('_').map((each) => {
    const groups = part.exec(each)?.groups;
    if (groups === undefined) return undefined;
    const sizeOf = (digits: string | undefined, unit: string | undefined) => Number(digits) * (unit === undefined ? 1 : thousand);
    const queries = sizeOf(groups['queries'], groups['queriesK']);
    const keys = groups['keys'] === undefined ? queries : sizeOf(groups['keys'], groups['keysK']);
    return { count: Number(groups['count'] ?? 1), queries, keys };
  });
  return requests.every((each) => each !== undefined && each.count > 0 && each.queries > 0 && each.keys > 0)
    ? (requests as Requests[])
    : undefined;
}

/** The text that {@link readRequests} reads, the same for the same requests. */
export function formatRequests(requests: readonly Requests[]): string {
  const size = (tokens: number) => (tokens % thousand === 0 ? `${tokens / thousand}k` : String(tokens));
  return requests
    .map(({ count, queries, keys }) => `${count === 1 ? '' : count}q${size(queries)}${keys === queries ? '' : `s${size(keys)}`}`)
    .join('_');
}

/** The batch that holds all of them: the shorter ones are padded in front, so that each ends with its last token. */
export function batchOf(requests: readonly Requests[]): Pick<Shape, 'batch' | 'queries' | 'keys'> {
  return {
    batch: requests.reduce((sum, { count }) => sum + count, 0),
    queries: Math.max(...requests.map(({ queries }) => queries)),
    keys: Math.max(...requests.map(({ keys }) => keys)),
  };
}

/** Which keys are not padding, `[batch, keys]`; undefined where all are kept. */
export function keptKeys(requests: readonly Requests[]): Uint8Array | undefined {
  const { batch, keys } = batchOf(requests);
  const padding = requests.flatMap((each) => Array.from({ length: each.count }, () => keys - each.keys));
  if (padding.every((padded) => padded === 0)) return undefined;
  return Uint8Array.from({ length: batch * keys }, (_, index) => (index % keys < padding[Math.floor(index / keys)]! ? 0 : 1));
}
