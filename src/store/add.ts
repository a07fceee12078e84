import { rm } from 'node:fs/promises';
import { requireWritableFolder } from '../files/writable.ts';
import { claimFolder } from '../processes/temporary.ts';
import { KnownRecords } from './known.ts';
import { PartWriter, publish, systemFault } from './part-writer.ts';
import { nextPart, partsOf, recordsFolder } from './parts.ts';
import { loadStorable } from './record.ts';

/** What became of a file. `known`: the same content is there; `superseded`: a later state of the same run is. */
export interface AddedFile {
  readonly file: string;
  readonly id: string;
  readonly kind: 'run' | 'verdict';
  readonly outcome: 'added' | 'known' | 'superseded';
  /** Cells or comparisons. */
  readonly items: number;
}

export interface AddHooks {
  readonly signal?: AbortSignal | undefined;
  /** Called before each file. */
  readonly onFile?: ((file: string, done: number) => void) | undefined;
}

/**
 * Adds records to a store: all of them or, whatever happens, none. They are written beside the parts, and their folder then takes the next
 * number, which only one of several processes can: the others look again at what is new, so that no content is there twice.
 * @throws FILE_UNREADABLE, INVALID_RUN, INVALID_VERDICT, INVALID_STORE, FILE_UNWRITABLE, INTERRUPTED
 */
export async function addRecords(store: string, files: readonly string[], hooks: AddHooks = {}): Promise<AddedFile[]> {
  const folder = recordsFolder(store);
  await requireWritableFolder(folder);
  for (;;) {
    const parts = await partsOf(store);
    const known = await KnownRecords.read(parts);
    const draft = claimFolder(folder);
    try {
      const added = await writePart(draft, files, known, hooks);
      if (!added.some(({ outcome }) => outcome === 'added') || (await publish(draft, nextPart(store, parts)))) return added;
    } catch (error) {
      throw systemFault(error, `${folder}: nothing was added`);
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  }
}

async function writePart(draft: string, files: readonly string[], known: KnownRecords, { signal, onFile }: AddHooks): Promise<AddedFile[]> {
  const part = new PartWriter(draft);
  const addedAt = Date.now();
  const added: AddedFile[] = [];
  for (const [done, file] of files.entries()) {
    signal?.throwIfAborted();
    onFile?.(file, done);
    const record = await loadStorable(file);
    const standing = await known.take(record);
    if (typeof standing === 'object') await part.push(record, { source: file, addedAt, replaces: standing.replaces });
    added.push({
      file,
      id: record.id,
      kind: 'run' in record ? 'run' : 'verdict',
      outcome: typeof standing === 'object' ? 'added' : standing,
      items: record.itemsJson.length,
    });
  }
  await part.finish();
  return added;
}
