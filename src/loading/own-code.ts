import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where `src` and `adapters` of this attnswap lie. */
const ownCode = new URL('../../', import.meta.url);

let digest: Promise<string> | undefined;

/** SHA-256 of all that measures: a version does not tell a checkout from the same one after a change. Tests are no part of it. */
export function codeDigest(): Promise<string> {
  return (digest ??= digestOf(['src', 'adapters']));
}

async function digestOf(folders: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const folder of folders) {
    const root = fileURLToPath(new URL(folder, ownCode));
    const names = await readdir(root, { recursive: true });
    for (const name of names.filter((each) => /(?<!\.test|\.d)\.(ts|js|py)$/.test(each)).toSorted()) {
      hash.update(`${folder}/${name}\n`).update(await readFile(join(root, name)));
    }
  }
  return hash.digest('hex');
}

/** Whether an adapter's module is attnswap's own, and nothing that a user brings and may change. */
export function isOwnModule(url: string): boolean {
  return url.startsWith(ownCode.href) && !url.includes('?');
}
