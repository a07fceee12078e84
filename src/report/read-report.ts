import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { auditSchemaName, readAudit } from '../contract/audit.ts';
import { claimsSchemaName, readClaims } from '../contract/claims.ts';
import { AttnswapError } from '../contract/errors.ts';
import { readRun, runSchemaName } from '../contract/run.ts';
import { readVerdict, verdictSchemaName } from '../contract/verdict.ts';
import { readJson } from '../files/json.ts';
import { schemaNameOf } from '../files/read-record.ts';
import { isJournalFolder, journalSchemaName, oldJournalSchemaName, readJournal, recordPath } from '../journal/stored.ts';
import { migrationRecordName, readMigration } from '../migration/record.ts';
import { parseTuningRecord, readTuningRecord, tuningRecordName } from '../tuning/record.ts';
import type { StoredTuningRecord } from '../tuning/record.ts';
import { auditCsv } from './audit-csv.ts';
import { auditReport } from './audit-report.ts';
import { claimsCsv } from './claims-csv.ts';
import { claimsReport } from './claims-report.ts';
import { comparisonsCsv } from './comparisons-csv.ts';
import type { Report } from './document.ts';
import { runFigures, verdictFigures } from './export/figures.ts';
import type { Figures } from './export/figures.ts';
import { comparisonsIn, migrationReport } from './migration-report.ts';
import { runCsv } from './run-csv.ts';
import { runReport } from './run-report.ts';
import { trialsCsv } from './trials-csv.ts';
import { tuningReport } from './tuning-report.ts';
import { verdictReport } from './verdict-report.ts';

export interface ReadReport {
  readonly report: Report;
  /** Its cells, comparisons, trials or rounds, one a row. */
  csv(): string;
  /** What other tools are given; absent where the record is no run and no verdict. */
  readonly figures?: Figures;
}

const readable = `${runSchemaName} (bench), ${verdictSchemaName} (ab, gate), ${auditSchemaName} (audit), or the folder of a migration, a tuning or claims`;

/**
 * Reads what a report is to be made of: a run record, a verdict, an audit, or the folder of a migration, a tuning or claims.
 * @throws FILE_UNREADABLE, INVALID_RUN, INVALID_VERDICT, INVALID_MIGRATION; INVALID_REPORT where it is none of them, naming its schema
 */
export async function readReport(path: string): Promise<ReadReport> {
  if (await isJournalFolder(path)) return ofFolder(path);
  if ((await stat(path).catch(() => undefined))?.isDirectory() !== true) return ofFile(path);
  // Claims keep their record in a folder, too; their journals are those of what they measured.
  if (existsSync(recordPath(path))) return ofFile(recordPath(path));
  throw new AttnswapError('INVALID_REPORT', `${path}: a folder without journal.json, expected ${readable}`, {
    hint: 'name a file, or the --dir of attnswap migrate, tune or claims',
  });
}

async function ofFile(path: string): Promise<ReadReport> {
  const value = await readJson(path, 'INVALID_REPORT');
  const schema = schemaNameOf(value) ?? 'none';
  if (schema === migrationRecordName || schema === journalSchemaName || schema === oldJournalSchemaName) return ofFolder(dirname(path));
  if (schema === tuningRecordName) return ofTuning(parseTuningRecord(value, path));
  if (schema === verdictSchemaName) {
    const verdict = readVerdict(value, path);
    return { report: verdictReport(verdict), csv: () => comparisonsCsv(verdict.comparisons), figures: verdictFigures(verdict) };
  }
  if (schema === auditSchemaName) {
    const audit = readAudit(value, path);
    return { report: auditReport(audit), csv: () => auditCsv(audit) };
  }
  if (schema === claimsSchemaName) {
    const claims = readClaims(value, path);
    return { report: claimsReport(claims), csv: () => claimsCsv(claims) };
  }
  if (schema.startsWith('attnswap.run/')) {
    const run = readRun(value, path);
    return { report: runReport(run), csv: () => runCsv(run), figures: runFigures(run) };
  }
  throw new AttnswapError('INVALID_REPORT', `${path}: schema is ${JSON.stringify(schema)}, expected ${readable}`, {
    hint: 'to read a document with another schema version, use the attnswap that wrote it',
  });
}

async function ofFolder(folder: string): Promise<ReadReport> {
  const journal = await readJournal(folder);
  if (journal.kind === 'tuning') return ofTuning(await readTuningRecord(folder, journal));
  const stored = await readMigration(folder, journal);
  return { report: migrationReport(stored, folder), csv: () => comparisonsCsv(comparisonsIn(stored.steps)) };
}

function ofTuning(record: StoredTuningRecord): ReadReport {
  return { report: tuningReport(record), csv: () => trialsCsv(record) };
}
