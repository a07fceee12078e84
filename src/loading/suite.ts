import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { AdapterEntry } from '../contract/adapter.ts';
import { readSuite } from '../contract/suite.ts';
import type { Suite } from '../contract/suite.ts';
import { workerEntry } from '../protocol/worker-entry.ts';
import { adapterAt } from './adapter.ts';
import { builtInSuites } from './built-in.ts';
import { loadDefinition } from './definition.ts';

export interface LoadedSuite {
  readonly suite: Suite;
  /** Of the suite with its defaults: two files that declare the same have the same. */
  readonly sha256: string;
  /** The adapters that the suite brings, before those of attnswap. */
  readonly adapters: readonly AdapterEntry[];
}

/**
 * Loads a built-in suite by name, or a suite file by path.
 * @throws UNKNOWN_SUITE, INVALID_SUITE
 */
export async function loadSuite(nameOrPath: string): Promise<LoadedSuite> {
  const { definition, url } = await loadDefinition(nameOrPath, builtInSuites);
  const suite = readSuite(definition, nameOrPath);
  const own = await Promise.all([
    ...suite.adapters.map((path) => adapterAt(fileURLToPath(new URL(path, url)))),
    ...suite.workers.map((command) => workerEntry(command, fileURLToPath(new URL('.', url)))),
  ]);
  return { suite, adapters: own, sha256: hashOfSuite(suite) };
}

export function hashOfSuite(suite: Suite): string {
  return createHash('sha256').update(JSON.stringify(suite)).digest('hex');
}
