import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { AttnswapError } from '../contract/errors.ts';
import { readJson } from '../files/json.ts';

export const journalSchemaName = 'attnswap.journal/1';
/** As journals were called before they said of what they are, in a file of that name. */
export const oldJournalSchemaName = 'attnswap.migration/1';
const [fileName, oldFileName] = ['journal.json', 'migration.json'];

/** What a journal is of. */
const journalKinds = ['migration', 'tuning'] as const;
export type JournalKind = (typeof journalKinds)[number];

/** What decides the results: files by their SHA-256, and every setting. */
const subjectSchema = z.object({
  files: z.record(z.string(), z.string()),
  settings: z.record(z.string(), z.unknown()),
  /** SHA-256 of the host's fingerprint. */
  host: z.string(),
  /** The host as records describe it; absent in folders of earlier versions. */
  described: z.unknown().optional(),
});
export type JournalSubject = z.infer<typeof subjectSchema>;

const fields = {
  subject: subjectSchema,
  startedAt: z.iso.datetime(),
  /** Results by step, in the order in which they were reached. */
  steps: z.record(z.string(), z.unknown()),
  /** When steps were measured that another folder had measured before; absent where none was, and in journals of older versions. */
  reused: z.record(z.string(), z.iso.datetime()).optional(),
};
/** Of each step, and of the rest. */
const checksumsSchema = z.record(z.string(), z.string());
const currentSchema = z.object({ schema: z.literal(journalSchemaName), kind: z.enum(journalKinds), ...fields, checksums: checksumsSchema });
/** Only something that trains has a trainer. */
const oldSchema = z
  .object({ schema: z.literal(oldJournalSchemaName), ...fields, checksums: checksumsSchema.optional() })
  .transform((old) => ({ ...old, schema: journalSchemaName, kind: 'trainer' in old.subject.settings ? 'tuning' : 'migration' }) as const);
const journalSchema = z.union([currentSchema, oldSchema]);
/** Without checksums where it has just begun, or is of an earlier version. */
export type StoredJournal = Omit<z.infer<typeof currentSchema>, 'checksums'> & { readonly checksums?: Record<string, string> | undefined };

/** The file that a folder's journal lies in; where there is none, will lie in. */
export function journalPath(folder: string): string {
  const old = join(folder, oldFileName);
  return existsSync(old) ? old : join(folder, fileName);
}

/** The file that holds all that was found, once it has ended. */
export function recordPath(folder: string): string {
  return join(folder, 'record.json');
}

/** Whether a path is the folder of a journal. */
export async function isJournalFolder(path: string): Promise<boolean> {
  return existsSync(journalPath(path)) && (await stat(path)).isDirectory();
}

/** @throws FILE_UNREADABLE; INVALID_MIGRATION where the folder's journal is none */
export async function readJournal(folder: string): Promise<StoredJournal> {
  const path = journalPath(folder);
  const found = journalSchema.safeParse(await readJson(path, 'INVALID_MIGRATION').catch(unlessInvalid));
  if (found.success) return found.data;
  throw new AttnswapError('INVALID_MIGRATION', `${path}: expected a document with schema ${journalSchemaName}`, {
    hint: 'choose another --dir',
    cause: found.error,
  });
}

/** What is no JSON is no journal, either. */
function unlessInvalid(error: unknown): undefined {
  if (error instanceof AttnswapError && error.code === 'INVALID_MIGRATION') return undefined;
  throw error;
}
