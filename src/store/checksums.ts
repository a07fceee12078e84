import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { AttnswapError } from '../contract/errors.ts';
import { fileDigest } from '../files/digest.ts';
import { readJson } from '../files/json.ts';
import { recordReader } from '../files/read-record.ts';

/** In every part: the SHA-256 of each other file in it, by name. */
const checksumsName = 'sha256.json';
const hint = 'restore its folder from a backup, or move the folder away and add its records again';
const readChecksums = recordReader(z.record(z.string(), z.string()), { code: 'INVALID_STORE', hint });

/** Writes down what a part holds, once it is all there. @throws what the system says */
export async function writeChecksums(part: string): Promise<void> {
  const checksums: Record<string, string> = {};
  for (const name of await readdir(part)) checksums[name] = await fileDigest(join(part, name));
  await writeFile(join(part, checksumsName), JSON.stringify(checksums), { flush: true });
}

/** Files that hold what was written. Parts never change, so that a process asks once. */
const whole = new Map<string, Promise<void>>();

/** A file of a part holds what was written, wherever it may be damaged; of a part from before there were checksums nothing is known. @throws INVALID_STORE */
export async function requireWhole(path: string): Promise<void> {
  const found = whole.get(path) ?? check(path);
  whole.set(path, found);
  await found.catch((error: unknown) => {
    whole.delete(path);
    throw error;
  });
}

async function check(path: string): Promise<void> {
  const file = join(dirname(path), checksumsName);
  if (!existsSync(file)) return;
  try {
    const expected = readChecksums(await readJson(file, 'INVALID_STORE'), file)[basename(path)];
    if ((await fileDigest(path)) !== expected) throw new Error(`its SHA-256 is not the one in ${checksumsName}`);
  } catch (error) {
    throw damagedFile(path, (error as Error).message, error);
  }
}

/** The error for a file of a part that is not what was written. */
export function damagedFile(path: string, why: string, cause?: unknown): AttnswapError {
  return new AttnswapError('INVALID_STORE', `${path}: cannot be read as a file of the store: ${why}`, { hint, cause });
}
