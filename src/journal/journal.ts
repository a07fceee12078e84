import { existsSync } from 'node:fs';
import { AttnswapError } from '../contract/errors.ts';
import { writeJson } from '../files/json.ts';
import { checksumOf, damageOf, restChecksum, restName } from './check-steps.ts';
import type { StepSchemas } from './check-steps.ts';
import { Reused } from './figures.ts';
import { journalPath, journalSchemaName, readJournal } from './stored.ts';
import type { JournalKind, JournalSubject, StoredJournal } from './stored.ts';

/** What a journal may hold, and how hosts are told apart. */
export interface JournalRules {
  readonly kind: JournalKind;
  readonly steps: StepSchemas;
  compareHosts(begun: unknown, now: unknown): { readonly differing: readonly string[]; readonly unknown: readonly string[] };
  /** Once it is aborted, no step begins. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * What a migration or a tuning has reached, kept in `<folder>/journal.json`, written whole after every step: an interrupted one
 * goes on where it stopped, and measures nothing twice.
 */
export class Journal {
  readonly folder: string;
  /** Parts of the host that were not compared with those that the folder began with, as one of both could not be read. */
  readonly notCompared: readonly string[];
  readonly #signal: AbortSignal | undefined;
  readonly #stored: StoredJournal;
  readonly #checksums: Record<string, string>;
  readonly #reused: Record<string, string>;

  private constructor(folder: string, stored: StoredJournal, signal: AbortSignal | undefined, notCompared: readonly string[] = []) {
    this.folder = folder;
    this.#signal = signal;
    this.#stored = stored;
    const computed = () => Object.fromEntries(Object.entries(stored.steps).map(([step, value]) => [step, checksumOf(step, value)]));
    this.#reused = { ...stored.reused };
    this.#checksums = stored.checksums ?? { [restName]: restChecksum(stored), ...computed() };
    this.notCompared = notCompared;
  }

  /**
   * Opens a folder's journal, or begins one. Every step is held against its checksum and its schema; journals of older versions have no checksums.
   * @throws INVALID_MIGRATION where it is of another subject, naming what changed, is damaged, naming the step, or is no journal; FILE_UNREADABLE
   */
  static async open(folder: string, subject: JournalSubject, { kind, steps, compareHosts, signal }: JournalRules): Promise<Journal> {
    const path = journalPath(folder);
    if (!existsSync(path)) {
      return new Journal(folder, { schema: journalSchemaName, kind, subject, startedAt: new Date().toISOString(), steps: {} }, signal);
    }
    const found = await readJournal(folder);
    if (found.kind !== kind) {
      throw new AttnswapError('INVALID_MIGRATION', `${folder}: holds a ${found.kind}, expected a ${kind}`, {
        hint: 'choose another --dir',
      });
    }
    const damage = damageOf(found, steps);
    if (damage !== undefined) {
      throw new AttnswapError('INVALID_MIGRATION', `${path}: ${damage}`, {
        hint: 'delete the damaged step from the file to measure it again, or choose another --dir to start over',
      });
    }
    const hosts = compareHosts(beginningOf(found), subject.described ?? { fingerprint: { sha256: subject.host } });
    const changed = changes(found.subject, subject) ?? hostChange(hosts.differing);
    if (changed === undefined) return new Journal(folder, found, signal, hosts.unknown);
    throw new AttnswapError('INVALID_MIGRATION', `${folder}: ${changed} since this ${kind} began`, {
      hint: 'choose another --dir to start over, or restore the original settings',
    });
  }

  get startedAt(): string {
    return this.#stored.startedAt;
  }

  /** How many steps were reached. */
  get count(): number {
    return Object.keys(this.#stored.steps).length;
  }

  /** What a step came to; undefined where it was not reached. */
  found(step: string): unknown {
    return this.#stored.steps[step];
  }

  /** When steps were measured that were not measured here, by their names. */
  get reused(): Readonly<Record<string, string>> {
    return this.#reused;
  }

  /**
   * A step's result: the stored one, or what `compute` gives, which is stored before anything else happens, unless `keeps` says that another run may find more.
   * @throws INTERRUPTED; what `compute` throws
   */
  async step<Result>(
    step: string,
    compute: () => Promise<Result | Reused<Result>>,
    keeps: (result: Result) => boolean = () => true,
  ): Promise<Result> {
    if (step in this.#stored.steps) return this.#stored.steps[step] as Result;
    if (this.#signal?.aborted === true) throw new AttnswapError('INTERRUPTED', 'interrupted');
    // As it will be read back: an interrupted migration must not differ from another by what JSON loses.
    const found = await compute();
    const result = JSON.parse(JSON.stringify((found instanceof Reused ? found.value : found) ?? null)) as Result;
    if (!keeps(result)) return result;
    // A step that was deleted from the file may have been a reused one.
    if (found instanceof Reused) this.#reused[step] = found.measuredAt;
    else delete this.#reused[step];
    this.#stored.steps[step] = result;
    this.#checksums[step] = checksumOf(step, result, this.#reused[step]);
    const reused = Object.keys(this.#reused).length > 0 ? this.#reused : undefined;
    await writeJson(journalPath(this.folder), { ...this.#stored, reused, checksums: this.#checksums });
    return result;
  }
}

function changes(before: JournalSubject, now: JournalSubject): string | undefined {
  for (const file of new Set([...Object.keys(before.files), ...Object.keys(now.files)])) {
    const [old, fresh] = [before.files[file], now.files[file]];
    if (old !== fresh)
      return `the file ${file} ${fresh === undefined ? 'is no longer named' : old === undefined ? 'was added' : 'changed'}`;
  }
  for (const name of new Set([...Object.keys(before.settings), ...Object.keys(now.settings)])) {
    const [old, fresh] = [before.settings[name], now.settings[name]].map((value) => JSON.stringify(value) ?? 'nothing');
    if (old !== fresh) return `${name} changed from ${old} to ${fresh}`;
  }
  return undefined;
}

/** The host that it began on. Folders of earlier versions describe it in the step `head`, if anywhere. */
function beginningOf({ subject, steps }: StoredJournal): unknown {
  const head = steps['head'] as { readonly host?: unknown } | null | undefined;
  return subject.described ?? head?.host ?? { fingerprint: { sha256: subject.host } };
}

function hostChange(differing: readonly string[]): string | undefined {
  return differing.length === 0 ? undefined : `${differing.join(', ')} changed, so times and memory cannot be compared,`;
}
