import { randomUUID } from 'node:crypto';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AttnswapError } from '../contract/errors.ts';
import { tryWriting } from '../files/writable.ts';
import { formatIdentity, ownIdentity, parseIdentity, stateOf } from './identity.ts';
import { systemReason } from '../files/system-reason.ts';

const prefix = 'attnswap-of-';
/** A folder of a process that cannot be looked up from here is left alone until nothing has touched it for so long. */
const abandonedMs = 7 * 86_400_000;

let own: string | undefined;

/**
 * A new folder for temporary files, in one that goes with this process. Where a kill leaves that, the next process takes it away.
 * @throws FILE_UNWRITABLE
 */
export async function temporaryFolder(purpose: string): Promise<string> {
  try {
    return await mkdtemp(join(ownFolder(), `${purpose}-`));
  } catch (error) {
    throw temporaryFault(error);
  }
}

/** What to say where the temporary folder takes no files. */
function temporaryFault(error: unknown): AttnswapError {
  return new AttnswapError('FILE_UNWRITABLE', `the temporary folder ${tmpdir()} cannot be used: ${systemReason(error)}`, {
    hint: 'create it, free some space, or choose another: TMPDIR=FOLDER attnswap …',
    cause: error,
  });
}

/** The temporary folder is there and has room: models, inputs and workers' sources go through it. @throws FILE_UNWRITABLE */
export async function requireTemporaryFolder(): Promise<void> {
  await tryWriting(tmpdir()).catch((error: unknown) => {
    throw temporaryFault(error);
  });
}

function ownFolder(): string {
  if (own === undefined) {
    const folder = claimFolder(tmpdir());
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    own = folder;
  }
  // Whoever cleans up temporary files of old must not end a run.
  mkdirSync(own, { recursive: true });
  return own;
}

/** A new folder in `parent` under this process's name: the next call there takes away those of processes that are gone. @throws what the system says */
export function claimFolder(parent: string): string {
  sweep(parent);
  return mkdtempSync(join(parent, `${prefix}${formatIdentity(ownIdentity())}-`));
}

const swept = new Set<string>();

/** A path for a file that is to be renamed once it is whole. Where a kill leaves it, the next process that writes into the folder takes it away. */
export function draftIn(folder: string): string {
  try {
    if (!swept.has(folder)) sweep(folder);
    swept.add(folder);
  } catch {
    // One that is not there, or cannot be listed: whoever writes there says so.
  }
  return join(folder, `${prefix}${formatIdentity(ownIdentity())}-${randomUUID().slice(0, 8)}`);
}

/** Removes folders and files of processes that are gone; never one whose process lives, or may live elsewhere. */
export function sweep(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(prefix)) continue;
    const owner = parseIdentity(name.slice(prefix.length, name.lastIndexOf('-')));
    if (owner === undefined) continue;
    try {
      const path = join(folder, name);
      const { mtimeMs, uid } = lstatSync(path);
      if (uid !== (process.getuid?.() ?? uid)) continue;
      const state = stateOf(owner);
      if (state === 'gone' || (state === 'unknown' && Date.now() - mtimeMs > abandonedMs)) rmSync(path, { recursive: true, force: true });
    } catch {
      // Another process sweeps, too.
    }
  }
}
