import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** This attnswap. */
const ownFolder = new URL('../../', import.meta.url);
/** What of it measures. */
const folders = ['src', 'adapters'];

let digest: Promise<string> | undefined;

/** SHA-256 of all that measures: a version does not tell a checkout from the same one after a change. Tests are no part of it. */
export function codeDigest(): Promise<string> {
  return (digest ??= digestOf(ownFolder));
}

/** That of the attnswap in a folder. */
export async function digestOf(folder: URL): Promise<string> {
  const hash = createHash('sha256');
  for (const part of folders) {
    const root = fileURLToPath(new URL(part, folder));
    const found = await readdir(root, { recursive: true, withFileTypes: true });
    const paths = found.filter((each) => each.isFile()).map(({ parentPath, name }) => join(parentPath, name));
    for (const path of paths.filter((each) => /(?<!\.test|\.d)\.(ts|js|json|wasm|py)$/.test(each)).toSorted()) {
      const bytes = await readFile(path);
      hash.update(JSON.stringify([path.slice(root.length), part, bytes.length])).update(bytes);
    }
  }
  return hash.digest('hex');
}

/** Whether an adapter's module is attnswap's own, and nothing that a user brings and may change. */
export function isOwnModule(url: string): boolean {
  const { href, search } = new URL(url);
  return search === '' && folders.some((part) => href.startsWith(new URL(`${part}/`, ownFolder).href));
}
