import { z } from 'zod';
import { cellRecordSchema } from './cell.ts';
import { recordReader, schemaNameOf } from '../files/read-record.ts';
import { AttnswapError } from './errors.ts';

export const runSchemaName = 'attnswap.run/1';

/** The most that a backend's own operators reached on the machine: operations or bytes a second. */
export const ceilingSchema = z.object({ kind: z.enum(['flops', 'bytes']), perSecond: z.number().positive(), what: z.string().max(500) });
export type Ceiling = z.infer<typeof ceilingSchema>;

/** The record of a suite measured on a host. Times are nanoseconds, sizes bytes. */
export const runSchema = z.object({
  schema: z.literal(runSchemaName),
  tool: z.object({ name: z.literal('attnswap'), version: z.string() }),
  suite: z.object({ name: z.string(), sha256: z.string(), reference: z.string() }),
  command: z.array(z.string()),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable(),
  /** Every cell that the suite declares was measured, refused or failed: nothing was interrupted. */
  complete: z.boolean(),
  host: z.unknown(),
  backends: z.record(z.string(), z.unknown()),
  warnings: z.array(z.string()),
  /** By backend; none where they were not measured. */
  ceilings: z.record(z.string(), z.array(ceilingSchema)).default({}),
  /** Ids of all declared cells, in order. */
  declared: z.array(z.string()),
  cells: z.array(cellRecordSchema),
});
export type RunRecord = z.infer<typeof runSchema>;

/** @throws INVALID_RUN naming the field */
export function readRun(value: unknown, source: string): RunRecord {
  const schema = schemaNameOf(value);
  if (schema === runSchemaName) return readKnown(value, source);
  throw new AttnswapError('INVALID_RUN', `${source}: schema is ${JSON.stringify(schema ?? 'none')}, expected "${runSchemaName}"`, {
    hint: 'measure again with this version, or use the version that wrote the file',
  });
}

const readKnown = recordReader(runSchema, { code: 'INVALID_RUN' });
