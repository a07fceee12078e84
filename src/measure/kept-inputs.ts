import { createHash } from 'node:crypto';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
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
  const kept = await readKept(path).catch(() => undefined);
  if (kept !== undefined) return kept as Value;
  const value = await draw();
  const own = `${path}.${process.pid}`;
  await writeKept(own, value)
    .then(() => rename(own, path))
    .catch(() => undefined);
  return value;
}

type Numbers = Float32Array | Uint8Array;
const kinds = { Float32Array, Uint8Array };

/** Where an array stood, in the description of a value. */
const placeSchema = z.strictObject({ kind: z.enum(['Float32Array', 'Uint8Array']), length: z.int().min(0) });

/** Writes a value: the length of its description, its description, and its arrays in their order. */
async function writeKept(path: string, value: unknown): Promise<void> {
  const arrays: Numbers[] = [];
  const text = JSON.stringify(value, (_key, part: unknown) => {
    if (!(part instanceof Float32Array || part instanceof Uint8Array)) return part;
    arrays.push(part);
    return { kind: part.constructor.name, length: part.length };
  });
  const description = Buffer.from(text);
  const file = await open(path, 'wx');
  try {
    await file.write(Uint32Array.of(description.length));
    await file.write(description);
    for (const array of arrays) await file.write(array);
  } finally {
    await file.close();
  }
}

/**
 * Reads a value, each array straight into memory of its own, as if it had been drawn: what lay in a larger buffer would be at any address, and
 * what was copied would leave memory behind that a call reuses unseen where peaks are measured.
 */
async function readKept(path: string): Promise<unknown> {
  const file = await open(path);
  try {
    const read = async <Bytes extends NodeJS.ArrayBufferView>(bytes: Bytes): Promise<Bytes> => {
      const { bytesRead } = await file.read(bytes);
      if (bytesRead !== bytes.byteLength) throw new RangeError(`${path}: ends too soon`);
      return bytes;
    };
    const [length] = await read(new Uint32Array(1));
    const places: Numbers[] = [];
    const value: unknown = JSON.parse((await read(Buffer.alloc(length!))).toString(), (_key, part: unknown) => {
      const place = placeSchema.safeParse(part);
      if (!place.success) return part;
      const array = new kinds[place.data.kind](place.data.length);
      places.push(array);
      return array;
    });
    for (const array of places) await read(array);
    return value;
  } finally {
    await file.close();
  }
}
