import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { AttnswapError } from '../contract/errors.ts';
import { readJson, writeWhole } from '../measure/run-store.ts';
import { checksumOf, damageOf, restChecksum, restName } from './check-steps.ts';
import type { StepSchemas } from './check-steps.ts';
import { compareHosts } from '../measure/same-host.ts';
import type { HostComparison } from '../measure/same-host.ts';

export const migrationSchemaName = 'attnswap.migration/1';

/** What a migration is of: its files by their SHA-256, and every setting that changes a result. */
const subjectSchema = z.object({
  files: z.record(z.string(), z.string()),
  settings: z.record(z.string(), z.unknown()),
  /** SHA-256 of the host's fingerprint. */
  host: z.string(),
  /** The host as records describe it; absent in folders of earlier versions. */
  described: z.unknown().optional(),
});
export type MigrationIdentity = z.infer<typeof subjectSchema>;

const stateSchema = z.object({
  schema: z.literal(migrationSchemaName),
  subject: subjectSchema,
  startedAt: z.iso.datetime(),
  /** Results by step, in the order in which they were reached. */
  steps: z.record(z.string(), z.unknown()),
  checksums: z.record(z.string(), z.string()).optional(),
});

/**
 * What a migration has reached, kept in `<folder>/migration.json`, written whole after every step: an interrupted one goes on
 * where it stopped, and measures nothing twice.
 */
export class MigrationState {
  readonly folder: string;
  /** Parts of the host that were not compared with those that the folder began with, as one of both could not be read. */
  readonly notCompared: readonly string[];
  readonly #state: z.infer<typeof stateSchema>;
  readonly #checksums: Record<string, string>;

  private constructor(folder: string, state: z.infer<typeof stateSchema>, notCompared: readonly string[] = []) {
    this.folder = folder;
    this.#state = state;
    const computed = () => Object.fromEntries(Object.entries(state.steps).map(([step, value]) => [step, checksumOf(step, value)]));
    this.#checksums = state.checksums ?? { [restName]: restChecksum(state), ...computed() };
    this.notCompared = notCompared;
  }

  /**
   * Opens a folder's state, or begins one. Every step is held against its checksum and its schema; journals of older versions have no checksums.
   * @throws INVALID_MIGRATION where it is of another subject, naming what changed, is damaged, naming the step, or is no state; FILE_UNREADABLE
   */
  static async open(folder: string, subject: MigrationIdentity, schemas: StepSchemas): Promise<MigrationState> {
    const path = join(folder, 'migration.json');
    if (!existsSync(path)) {
      return new MigrationState(folder, { schema: migrationSchemaName, subject, startedAt: new Date().toISOString(), steps: {} });
    }
    const found = stateSchema.safeParse(await readJson(path, 'INVALID_MIGRATION').catch(unlessInvalid));
    if (!found.success) {
      throw new AttnswapError('INVALID_MIGRATION', `${path}: expected a document of schema ${migrationSchemaName}`, {
        hint: 'name another --dir',
        cause: found.error,
      });
    }
    const damage = damageOf(found.data, schemas);
    if (damage !== undefined) {
      throw new AttnswapError('INVALID_MIGRATION', `${path}: ${damage}`, {
        hint: 'take a damaged step out of the file to have it measured again, or name another --dir to begin anew',
      });
    }
    const hosts = hostsOf(found.data, subject);
    const changed = changes(found.data.subject, subject) ?? hostChange(hosts.differing);
    if (changed === undefined) return new MigrationState(folder, found.data, hosts.unknown);
    throw new AttnswapError('INVALID_MIGRATION', `${folder}: ${changed} since this migration began`, {
      hint: 'name another --dir to begin anew, or put back what it began with',
    });
  }

  get startedAt(): string {
    return this.#state.startedAt;
  }

  /** How many steps were reached. */
  get count(): number {
    return Object.keys(this.#state.steps).length;
  }

  /** What a step came to; undefined where it was not reached. */
  found(step: string): unknown {
    return this.#state.steps[step];
  }

  /** A step's result: the stored one, or what `compute` gives, which is stored before anything else happens. */
  async step<Result>(step: string, compute: () => Promise<Result>): Promise<Result> {
    if (step in this.#state.steps) return this.#state.steps[step] as Result;
    // As it will be read back: an interrupted migration must not differ from another by what JSON loses.
    const result = JSON.parse(JSON.stringify((await compute()) ?? null)) as Result;
    this.#state.steps[step] = result;
    this.#checksums[step] = checksumOf(step, result);
    const journal = { ...this.#state, checksums: this.#checksums };
    await writeWhole(join(this.folder, 'migration.json'), `${JSON.stringify(journal, null, 1)}\n`);
    return result;
  }
}

/** What is no JSON is no state, either. */
function unlessInvalid(error: unknown): undefined {
  if (error instanceof AttnswapError && error.code === 'INVALID_MIGRATION') return undefined;
  throw error;
}

function changes(before: MigrationIdentity, now: MigrationIdentity): string | undefined {
  for (const file of new Set([...Object.keys(before.files), ...Object.keys(now.files)])) {
    const [old, fresh] = [before.files[file], now.files[file]];
    if (old !== fresh)
      return `the file ${file} ${fresh === undefined ? 'is no longer named' : old === undefined ? 'was named anew' : 'changed'}`;
  }
  for (const name of new Set([...Object.keys(before.settings), ...Object.keys(now.settings)])) {
    const [old, fresh] = [before.settings[name], now.settings[name]].map((value) => JSON.stringify(value) ?? 'nothing');
    if (old !== fresh) return `${name} changed from ${old} to ${fresh}`;
  }
  return undefined;
}

/** Folders of earlier versions describe the host in the step `head`, if anywhere. */
function hostsOf({ subject, steps }: z.infer<typeof stateSchema>, now: MigrationIdentity): HostComparison {
  const head = steps['head'] as { readonly host?: unknown } | null | undefined;
  const begun = subject.described ?? head?.host ?? { fingerprint: { sha256: subject.host } };
  return compareHosts(begun, now.described ?? { fingerprint: { sha256: now.host } });
}

function hostChange(differing: readonly string[]): string | undefined {
  return differing.length === 0 ? undefined : `${differing.join(', ')} changed, so that times and memory cannot be compared,`;
}
