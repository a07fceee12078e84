import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { AdapterEntry } from '../contract/adapter.ts';
import { readSuite } from '../contract/suite.ts';
import type { Suite } from '../contract/suite.ts';
import { workerEntry } from '../protocol/worker-entry.ts';
import { loadDefinition } from './load-definition.ts';
import { adapterAt } from './load-adapter.ts';

export const builtInSuites = ['smoke', 'lengths', 'longest', 'inputs', 'backends', 'half-precision', 'ci'] as const;

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
  return { suite, adapters: own, sha256: createHash('sha256').update(JSON.stringify(suite)).digest('hex') };
}

/** This package's version. */
export async function toolVersion(): Promise<string> {
  for (const path of ['../../package.json', '../../../package.json']) {
    const url = new URL(path, import.meta.url);
    if (existsSync(fileURLToPath(url))) return (JSON.parse(await readFile(url, 'utf8')) as { version: string }).version;
  }
  return 'unknown';
}
