import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** The variable that names the folder in which a command's workers keep what they hand on. */
export const keptVariable = 'ATTNSWAP_DRAWN';

/**
 * In a worker: what another one made for the same `request`, else what `make` gives. Each stage and block starts new workers, and making inputs, graphs
 * and expected rows takes longer than reading them. A full disk, or a damaged file, costs time only.
 * @param make gives plain values and arrays of numbers, by `request` alone
 */
export async function madeOnce<Value>(request: object, make: () => Value | Promise<Value>): Promise<Value> {
  const folder = process.env[keptVariable];
  if (folder === undefined) return make();
  const path = join(folder, createHash('sha256').update(JSON.stringify(request)).digest('hex'));
  const kept = unlessFailing(() => readKept(path));
  if (kept !== undefined) return kept as Value;
  const value = await make();
  const own = `${path}.${process.pid}`;
  const written = unlessFailing(() => {
    writeKept(own, value);
    renameSync(own, path);
    return true;
  });
  // Half a file would keep a full disk full.
  if (written !== true) unlessFailing(() => rmSync(own, { force: true }));
  return value;
}

function unlessFailing<Value>(act: () => Value): Value | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}

const kinds = { Float32Array, Float64Array, Uint8Array };
type Numbers = InstanceType<(typeof kinds)[keyof typeof kinds]>;

/** Where an array stood, in the description of a value. */
interface Place {
  readonly kind: keyof typeof kinds;
  readonly length: number;
}

/** Writes a value: the length of its description, its description, and its arrays in their order. */
function writeKept(path: string, value: unknown): void {
  const arrays: Numbers[] = [];
  const text = JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === 'number' && !Number.isFinite(part)) throw new RangeError(`JSON has no ${part}`);
    const kind = Object.entries(kinds).find(([, array]) => part instanceof array)?.[0];
    if (kind === undefined) return part;
    const array = part as Numbers;
    arrays.push(array);
    return { kind, length: array.length };
  });
  const description = Buffer.from(text);
  const file = openSync(path, 'wx');
  try {
    for (const bytes of [Uint32Array.of(description.length), description, ...arrays]) writeWhole(file, bytes);
  } finally {
    closeSync(file);
  }
}

/** A disk that fills up may take a part. */
function writeWhole(file: number, bytes: NodeJS.ArrayBufferView): void {
  if (writeSync(file, bytes) !== bytes.byteLength) throw new RangeError('not written as a whole');
}

/**
 * Reads a value, each array straight into memory of its own, as if it had been made here: what lay in a larger buffer would be at any address, and
 * what was copied would leave memory behind that a call reuses unseen where peaks are measured.
 */
function readKept(path: string): unknown {
  const file = openSync(path, 'r');
  try {
    const read = <Bytes extends NodeJS.ArrayBufferView>(bytes: Bytes): Bytes => {
      if (readSync(file, bytes) !== bytes.byteLength) throw new RangeError(`${path}: ends too soon`);
      return bytes;
    };
    const [length] = read(new Uint32Array(1));
    const arrays: Numbers[] = [];
    const value: unknown = JSON.parse(read(Buffer.alloc(length!)).toString(), (_key, part: unknown) => {
      if (!isPlace(part)) return part;
      const array = new kinds[part.kind](part.length);
      arrays.push(array);
      return array;
    });
    for (const array of arrays) read(array);
    return value;
  } finally {
    closeSync(file);
  }
}

function isPlace(part: unknown): part is Place {
  if (typeof part !== 'object' || part === null || !('kind' in part) || !('length' in part)) return false;
  return Object.hasOwn(kinds, String(part.kind)) && Number.isSafeInteger(part.length) && Number(part.length) >= 0;
}
