import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Evidence } from '../claims/evidence.ts';
import { AttnswapError } from '../contract/errors.ts';
import { readRun, runSchemaName } from '../contract/run.ts';
import { isFolder } from '../files/writable.ts';
import { readJson } from '../files/json.ts';
import { schemaNameOf } from '../files/read-record.ts';
import { isJournalFolder, readJournal } from '../journal/stored.ts';
import { migrationRecordName, readMigration } from '../migration/record.ts';
import { parseTuningRecord, readTuningRecord, tuningRecordName } from '../tuning/record.ts';
import { bench } from './bench.ts';
import type { BenchOptions } from './bench.ts';
import type { OperationOptions } from './options.ts';

/** Whether a path is meant as a record: a JSON file, or the folder of a migration or a tuning. */
export async function isStored(path: string): Promise<boolean> {
  return path.endsWith('.json') || isJournalFolder(path);
}

/** The run record of a suite, from where it stands. @throws INTERRUPTED, and what `bench` throws */
export async function benchEvidence(
  options: OperationOptions & Pick<BenchOptions, 'suite' | 'threads'>,
  record: string,
): Promise<Evidence> {
  await bench({ ...options, record, resume: existsSync(record) });
  if (options.signal?.aborted !== true) return readEvidence(record);
  throw new AttnswapError('INTERRUPTED', `interrupted; what was measured is in ${record}`, { hint: 'run the same command to continue' });
}

/** A stored record: a run record, or that of a migration or a tuning. @throws FILE_UNREADABLE, INVALID_RUN, INVALID_MIGRATION; INVALID_REPORT where it is something else */
export async function readEvidence(path: string): Promise<Evidence> {
  if (await isFolder(path)) return ofFolder(path);
  const value = await readJson(path, 'INVALID_REPORT');
  const schema = schemaNameOf(value) ?? 'none';
  if (schema === migrationRecordName) return ofFolder(dirname(path));
  if (schema === tuningRecordName) return { kind: 'tuning', path, record: parseTuningRecord(value, path) };
  if (schema === runSchemaName) return { kind: 'run', path, record: readRun(value, path) };
  throw new AttnswapError(
    'INVALID_REPORT',
    `${path}: schema is ${JSON.stringify(schema)}, expected a run record (bench), or the record of a migration or a tuning`,
  );
}

async function ofFolder(path: string): Promise<Evidence> {
  const journal = await readJournal(path);
  if (journal.kind === 'tuning') return { kind: 'tuning', path, record: await readTuningRecord(path, journal) };
  const { record } = await readMigration(path, journal);
  if (record !== null) return { kind: 'migration', path, record };
  throw new AttnswapError('INVALID_MIGRATION', `${path}: the migration is not finished: it has no record.json yet`, {
    hint: 'run the same attnswap migrate command to continue',
  });
}
