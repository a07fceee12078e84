import { Journal } from '../journal/journal.ts';
import type { JournalRules } from '../journal/journal.ts';
import type { JournalSubject } from '../journal/stored.ts';
import { compareHosts } from '../measure/same-host.ts';
import type { RunHead } from './head.ts';
import type { OperationOptions } from './options.ts';

/** What a folder's journal is of, and the machine that goes on with it. */
interface Subject extends Pick<JournalSubject, 'files' | 'settings'> {
  readonly host: RunHead['host'];
}

/** Opens a folder's journal on this machine, and tells what of the machine could not be compared. @throws INVALID_MIGRATION, FILE_UNREADABLE */
export async function openJournal(
  folder: string,
  { host, ...subject }: Subject,
  rules: Omit<JournalRules, 'compareHosts'>,
  { onWarning, signal }: OperationOptions,
): Promise<Journal> {
  const begun = { ...subject, host: host.fingerprint.sha256, described: host };
  const journal = await Journal.open(folder, begun, { ...rules, compareHosts, signal });
  for (const part of journal.notCompared) onWarning?.(`not compared with the machine this began on, because it could not be read: ${part}`);
  return journal;
}
