import { createHash } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { temporaryFolder } from '../processes/temporary.ts';

const variable = 'ATTNSWAP_DRAWN';
const folders = new Map<string, Promise<string>>();

/** What lets the workers of one script draw inputs once and hand them on: each stage and block starts new ones, and drawing takes longer than reading. */
export async function handOn(script: string): Promise<Record<string, string>> {
  const folder = folders.get(script) ?? temporaryFolder('drawn');
  folders.set(script, folder);
  return { [variable]: await folder };
}

/** In a worker: what another one drew for the same `request`, else what `draw` gives. A full disk, or a damaged file, costs time only. */
export async function drawnOnce<Value>(request: object, draw: () => Promise<Value>): Promise<Value> {
  const folder = process.env[variable];
  if (folder === undefined) return draw();
  const path = join(folder, createHash('sha256').update(JSON.stringify(request)).digest('hex'));
  const kept = await readFile(path)
    .then((bytes) => deserialize(bytes) as Value)
    .catch(() => undefined);
  if (kept !== undefined) return apart(kept);
  const value = await draw();
  const own = `${path}.${process.pid}`;
  await writeFile(own, serialize(value), { flag: 'wx' })
    .then(() => rename(own, path))
    .catch(() => undefined);
  return value;
}

/** With each array in memory of its own, as if it had been drawn: within the file they would lie at any address. */
function apart<Value>(value: Value): Value {
  if (ArrayBuffer.isView(value)) return (value as unknown as Float32Array).slice() as Value;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, apart(part as unknown)])) as Value;
}
