import type { StepSchemas } from '../migration/check-steps.ts';
import { MigrationState } from '../migration/state.ts';
import type { MigrationIdentity } from '../migration/state.ts';
import type { RunHead } from './head.ts';
import type { OperationOptions } from './options.ts';

/** What a folder's state is of, and the machine that goes on with it. */
interface Subject extends Pick<MigrationIdentity, 'files' | 'settings'> {
  readonly host: RunHead['host'];
}

/** Opens a folder's state on this machine, and tells what of the machine could not be compared. @throws INVALID_MIGRATION, FILE_UNREADABLE */
export async function openState(
  folder: string,
  { host, ...subject }: Subject,
  schemas: StepSchemas,
  { onWarning }: OperationOptions,
): Promise<MigrationState> {
  const state = await MigrationState.open(folder, { ...subject, host: host.fingerprint.sha256, described: host }, schemas);
  for (const part of state.notCompared) onWarning?.(`not compared with the machine that this began on, as it could not be read: ${part}`);
  return state;
}
