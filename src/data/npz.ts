import { crc32 } from 'node:zlib';
import { unzipSync } from 'fflate';
import { AttnswapError } from '../contract/errors.ts';
import type { Tensors } from '../contract/tensor.ts';
import { invalidData } from './check-tensor.ts';
import { parseNpy } from './npy.ts';
import { zipChecksums } from './zip-checksums.ts';

/** How much a .npz may unpack to. */
export interface NpzLimits {
  readonly entries: number;
  /** Bytes of one array. */
  readonly entryBytes: number;
  /** Bytes of all arrays. */
  readonly totalBytes: number;
}

export const npzLimits: NpzLimits = { entries: 1000, entryBytes: 2 ** 30, totalBytes: 2 ** 31 };

const hint = 'save large tensors as .safetensors; python: safetensors.numpy.save_file(tensors, path)';

/**
 * Reads the bytes of an untrusted .npz file: a zip of .npy files, each an array by its name. Sizes are checked before anything
 * is unpacked, memory is taken for what the directory claims, so that a bomb that lies gains nothing, and each array's CRC-32 must agree.
 * @throws INVALID_DATA
 */
export function parseNpz(bytes: Uint8Array<ArrayBuffer>, source: string, limits: NpzLimits = npzLimits): Tensors {
  const arrays = Object.entries(unpack(bytes, source, limits));
  if (arrays.length === 0) throw invalidData(source, 'contains no array, expected at least one');
  return Object.fromEntries(
    arrays.map(([name, content]) => [name.slice(0, -'.npy'.length), parseNpy(content, `${source}, ${show(name)}`)]),
  );
}

function unpack(bytes: Uint8Array<ArrayBuffer>, source: string, limits: NpzLimits): Record<string, Uint8Array<ArrayBuffer>> {
  const seen = new Set<string>();
  let [packed, total] = [0, 0];
  const filter = ({ name, size, originalSize }: { name: string; size: number; originalSize: number }): boolean => {
    if (!/.\.npy$/s.test(name)) throw invalidData(source, `contains ${show(name)}, expected only .npy files`);
    if (seen.has(name)) throw invalidData(source, `contains ${show(name)} twice`);
    seen.add(name);
    packed += size;
    total += originalSize;
    if (seen.size > limits.entries) throw invalidData(source, `contains more than ${limits.entries} arrays`, { hint });
    // Negated, so that sizes that are no numbers are refused too.
    if (!(packed <= bytes.length)) throw invalidData(source, `its arrays claim ${packed} compressed bytes, more than the file has`);
    if (!(originalSize <= limits.entryBytes))
      throw invalidData(source, `${show(name)} decompresses to ${originalSize} bytes, expected at most ${limits.entryBytes}`, { hint });
    if (!(total <= limits.totalBytes)) throw invalidData(source, `decompresses to more than ${limits.totalBytes} bytes`, { hint });
    return true;
  };
  try {
    const entries = unzipSync(bytes, { filter });
    const checksums = zipChecksums(bytes);
    [...seen].forEach((name, index) => checkContent(entries[name]!, checksums[index]!, `${source}, ${show(name)}`));
    return entries;
  } catch (error) {
    if (error instanceof AttnswapError) throw error;
    throw invalidData(source, `is not a valid zip file: ${(error as Error).message}`, {
      hint: 'python: numpy.savez(path, **arrays)',
      cause: error,
    });
  }
}

function checkContent(content: Uint8Array, expected: number, source: string): void {
  const got = crc32(content);
  if (got === expected) return;
  throw invalidData(source, `has CRC-32 ${hex(got)}, expected ${hex(expected)}: the file is damaged`, {
    hint: 'download it or save it again',
  });
}

function hex(checksum: number): string {
  return checksum.toString(16).padStart(8, '0');
}

function show(name: string): string {
  return JSON.stringify(name.slice(0, 100));
}
