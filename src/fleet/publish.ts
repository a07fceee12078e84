import type { Redis } from 'ioredis';
import { setTimeout } from 'node:timers/promises';
import type { CellRecord } from '../contract/cell.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { RunRecord } from '../contract/run.ts';
import type { End, Head, RunPlace } from './documents.ts';
import { cellField, fieldOf, keptSeconds, runKey, sealed } from './entries.ts';
import type { HostKey } from './keys.ts';
import { refusedByRedis } from './redis.ts';
import { cancelledField, endedKey } from './submissions.ts';

const longestPauseMs = 30_000;

export interface Patience {
  readonly signal: AbortSignal;
  /** Told once of each trouble. */
  readonly tell: (trouble: string) => void;
}

/**
 * Does what needs Redis until it succeeds: a server that restarts, is full or does not answer loses nothing that was measured. The pauses grow.
 * @throws the signal's reason; AttnswapError at once, as no server mends it
 */
export async function persistently<Result>(attempt: () => Promise<Result>, { signal, tell }: Patience): Promise<Result> {
  for (let pauseMs = 500; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof AttnswapError) throw error;
      tell(refusedByRedis(error, 'trying again').message);
      await setTimeout(pauseMs, undefined, { signal });
    }
  }
}

/** Writes what a host measures of a run, signed, cell by cell. */
export class RunPublisher {
  readonly #client: Redis;
  readonly #key: HostKey;
  readonly #place: RunPlace;
  readonly #patience: Patience;
  /** What was written, by field. */
  readonly #written = new Map<string, string>();
  readonly #cells = new Set<CellRecord>();

  /** @param known cells that are there already */
  constructor(client: Redis, key: HostKey, place: RunPlace, known: Iterable<CellRecord>, patience: Patience) {
    [this.#client, this.#key, this.#place, this.#patience] = [client, key, place, patience];
    this.#cells = new Set(known);
  }

  /** Writes the head once, and the cells that are new. @returns whether the run is still wanted */
  async save(record: RunRecord, rank: number): Promise<boolean> {
    const fields = record.cells.filter((cell) => !this.#cells.has(cell)).map((cell) => [cellField(this.#key.id, cell.id), cell] as const);
    const headField = fieldOf(this.#key.id, 'head');
    const { schema: _, endedAt: __, complete: ___, cells: ____, ...head } = record;
    const wanted = await this.#write([
      ...(this.#written.has(headField) ? [] : [[headField, { ...head, rank } satisfies Head] as const]),
      ...fields,
    ]);
    for (const cell of record.cells) this.#cells.add(cell);
    return wanted;
  }

  /** Says how the run ended here, once all that was written before is there: a server that restarts may have lost its last second. */
  async end(end: End): Promise<void> {
    const run = runKey(this.#place);
    await persistently(async () => {
      const there = new Set(await this.#client.hkeys(run));
      const lost = [...this.#written].filter(([field]) => !there.has(field));
      if (lost.length > 0) await this.#client.hset(run, Object.fromEntries(lost));
    }, this.#patience);
    await this.#write([[fieldOf(this.#key.id, 'end'), end]]);
    await persistently(
      () =>
        answersOf(
          this.#client
            .pipeline()
            .hset(endedKey(this.#place.submission), this.#place.run, this.#key.id)
            .expire(endedKey(this.#place.submission), keptSeconds)
            .exec(),
        ),
      this.#patience,
    );
  }

  async #write(values: ReadonlyArray<readonly [string, unknown]>): Promise<boolean> {
    const run = runKey(this.#place);
    const fields = values.map(([field, value]) => [field, sealed(this.#key, this.#place, field, value)] as const);
    const answers = await persistently(() => {
      const pipeline = this.#client.pipeline();
      if (fields.length > 0) pipeline.hset(run, Object.fromEntries(fields)).expire(run, keptSeconds);
      return answersOf(pipeline.hexists(endedKey(this.#place.submission), cancelledField).exec());
    }, this.#patience);
    for (const [field, text] of fields) this.#written.set(field, text);
    return answers.at(-1) === 0;
  }
}

async function answersOf(asked: Promise<ReadonlyArray<readonly [Error | null, unknown]> | null>): Promise<readonly unknown[]> {
  const answers = (await asked) ?? [];
  const failed = answers.find(([error]) => error !== null);
  if (failed !== undefined) throw failed[0];
  return answers.map(([, answer]) => answer);
}
