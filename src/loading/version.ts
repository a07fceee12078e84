import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** This package's version. */
export async function toolVersion(): Promise<string> {
  for (const path of ['../../package.json', '../../../package.json']) {
    const url = new URL(path, import.meta.url);
    if (existsSync(fileURLToPath(url))) return (JSON.parse(await readFile(url, 'utf8')) as { version: string }).version;
  }
  return 'unknown';
}
