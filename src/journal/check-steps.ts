import { createHash } from 'node:crypto';
import type { z } from 'zod';
import type { StoredJournal } from './stored.ts';

/** What the steps of a journal hold, by their names: the first pattern that fits. */
export type StepSchemas = ReadonlyArray<readonly [RegExp, z.ZodType]>;

/** What the checksum of all but the steps is found under: no step has this name. */
export const restName = '';

/** Of what a step holds, together with its name, and with the time of what was measured elsewhere: 64 bits, against damage and not against forgery. */
export function checksumOf(step: string, value: unknown, measuredAt?: string): string {
  return createHash('sha256')
    .update(JSON.stringify([step, value, ...(measuredAt === undefined ? [] : [measuredAt])]))
    .digest('hex')
    .slice(0, 16);
}

export function restChecksum({ subject, startedAt }: Pick<StoredJournal, 'subject' | 'startedAt'>): string {
  return checksumOf(restName, [subject, startedAt]);
}

/** What of a journal is damaged, in words; undefined where nothing is. Steps of no known name are never read. */
export function damageOf(journal: StoredJournal, schemas: StepSchemas): string | undefined {
  const { steps, checksums, reused = {} } = journal;
  if (checksums !== undefined && checksums[restName] !== restChecksum(journal)) return 'its description does not match its checksum';
  for (const [name, value] of Object.entries(steps)) {
    const what = `the step ${JSON.stringify(name.slice(0, 200))}`;
    if (checksums !== undefined && !matches(checksums[name], name, value, reused[name])) return `${what} does not match its checksum`;
    const found = schemas.find(([pattern]) => pattern.test(name))?.[1].safeParse(value);
    if (found?.success !== false) continue;
    const { path, message } = found.error.issues[0]!;
    return `${what} has unexpected content: ${[...path.map(String), message].join(': ')}`;
  }
  return undefined;
}

function matches(checksum: string | undefined, ...step: Parameters<typeof checksumOf>): boolean {
  try {
    return checksum === checksumOf(...step);
  } catch {
    // Nested deeper than JSON.stringify goes: nothing that a step wrote.
    return false;
  }
}
