import { createHash } from 'node:crypto';
import { fingerprintOf } from '../compare/baseline.ts';
import { AttnswapError } from '../contract/errors.ts';
import { readRun, runSchemaName } from '../contract/run.ts';
import type { RunRecord } from '../contract/run.ts';
import { readVerdict, verdictSchemaName } from '../contract/verdict.ts';
import type { Verdict } from '../contract/verdict.ts';
import { readJson } from '../files/json.ts';
import { schemaNameOf } from '../files/read-record.ts';

interface Identified {
  /** SHA-256 of the content, whatever its white space. */
  readonly id: string;
  /** The same for all states of a run that was interrupted and resumed; of a verdict, its id. */
  readonly key: string;
  /** The record as it is in the file, without its items, as JSON in UTF-8. */
  readonly json: Uint8Array;
  /** Its cells or comparisons, one each, as they are in the file. */
  readonly itemsJson: readonly Uint8Array[];
}

/** A record that can be stored, both read and as it stood in its file. */
export type StorableRecord = (Identified & { readonly run: RunRecord }) | (Identified & { readonly verdict: Verdict });

/**
 * Reads a record to store, whole or not at all.
 * @throws FILE_UNREADABLE, INVALID_RUN, INVALID_VERDICT; INVALID_STORE where it is another document
 */
export async function loadStorable(path: string): Promise<StorableRecord> {
  const value = await readJson(path, 'INVALID_STORE');
  const schema = schemaNameOf(value) ?? 'none';
  if (schema === verdictSchemaName) {
    const verdict = readVerdict(value, path);
    const identified = identify(value as Verdict, 'comparisons');
    return { ...identified, key: identified.id, verdict };
  }
  if (schema.startsWith('attnswap.run/')) {
    const run = readRun(value, path);
    return {
      ...identify(value as RunRecord, 'cells'),
      key: hashOf([run.suite.sha256, run.startedAt, fingerprintOf(run)].map((text) => Buffer.from(text))),
      run,
    };
  }
  throw new AttnswapError(
    'INVALID_STORE',
    `${path}: schema is ${JSON.stringify(schema)}, expected ${runSchemaName} or ${verdictSchemaName}`,
    {
      hint: 'the store holds run records (bench) and verdicts (ab, gate --out)',
    },
  );
}

/** What the file holds, not what this version reads of it: a field of a later version is kept, and a default of one changes no id. */
function identify<Key extends string>(value: Readonly<Record<Key, readonly unknown[]>>, items: Key): Omit<Identified, 'key'> {
  const itemsJson = value[items].map((item) => Buffer.from(JSON.stringify(item)));
  const json = Buffer.from(JSON.stringify({ ...value, [items]: [] }));
  return { id: hashOf([json, ...itemsJson]), json, itemsJson };
}

function hashOf(parts: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\n');
  return hash.digest('hex');
}
