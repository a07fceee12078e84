import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { registerHooks } from 'node:module';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { AttnswapError } from '../contract/errors.ts';
import type { AdapterEntry } from '../contract/adapter.ts';
import { readSuite } from '../contract/suite.ts';
import type { Suite } from '../contract/suite.ts';
import { workerEntry } from '../protocol/worker-entry.ts';
import { adapterAt } from './load-adapter.ts';

export const builtInSuites = ['smoke', 'lengths', 'longest', 'inputs', 'backends', 'half-precision', 'ci'] as const;

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';

export interface LoadedSuite {
  readonly suite: Suite;
  /** Of the suite with its defaults: two files that declare the same have the same. */
  readonly sha256: string;
  /** The adapters that the suite brings, before those of attnswap. */
  readonly adapters: readonly AdapterEntry[];
}

/**
 * Loads a built-in suite by name, or a suite file by path. A user's file may import `attnswap` from any folder: it gets
 * the attnswap that runs it.
 * @throws UNKNOWN_SUITE, INVALID_SUITE
 */
export async function loadSuite(nameOrPath: string): Promise<LoadedSuite> {
  const url = suiteUrl(nameOrPath);
  registerHooks({ resolve: (specifier, context, next) => next(specifier === 'attnswap' ? ownEntry() : specifier, context) });
  const module = (await import(url).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AttnswapError('INVALID_SUITE', `${nameOrPath}: could not be loaded: ${reason}`, {
      hint: 'run the file with node to see where it throws',
      cause: error,
    });
  })) as { default?: unknown };
  const suite = readSuite(module.default, nameOrPath);
  const own = await Promise.all([
    ...suite.adapters.map((path) => adapterAt(fileURLToPath(new URL(path, url)))),
    ...suite.workers.map((command) => workerEntry(command, fileURLToPath(new URL('.', url)))),
  ]);
  return { suite, adapters: own, sha256: createHash('sha256').update(JSON.stringify(suite)).digest('hex') };
}

function suiteUrl(nameOrPath: string): string {
  if ((builtInSuites as readonly string[]).includes(nameOrPath)) {
    return new URL(`../../suites/${nameOrPath}.suite.${extension}`, import.meta.url).href;
  }
  const path = resolve(nameOrPath);
  if (existsSync(path) && /\.[cm]?[jt]s$/.test(path)) return pathToFileURL(path).href;
  throw new AttnswapError(
    'UNKNOWN_SUITE',
    `unknown suite ${JSON.stringify(nameOrPath)}, expected one of ${builtInSuites.join(', ')}, or the path of a .ts or .js file`,
    {
      hint: 'attnswap bench smoke',
    },
  );
}

function ownEntry(): string {
  return new URL(`../index.${extension}`, import.meta.url).href;
}

/** This package's version. */
export async function toolVersion(): Promise<string> {
  for (const path of ['../../package.json', '../../../package.json']) {
    const url = new URL(path, import.meta.url);
    if (existsSync(fileURLToPath(url))) return (JSON.parse(await readFile(url, 'utf8')) as { version: string }).version;
  }
  return 'unknown';
}
