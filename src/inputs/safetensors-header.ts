import { AttnswapError } from '../contract/errors.ts';
import { parseHeaderJson } from './header-json.ts';
import type { HeaderJson } from './header-json.ts';

/** Element types that are read and their sizes, bytes. The format gains others, such as F8_E4M3: tensors of those may lie beside what is read. */
export const elementBytes = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
} as const;
export type ElementName = keyof typeof elementBytes;

/** Whether tensors of a type can be read. */
export function isReadable(dtype: string): dtype is ElementName {
  return Object.hasOwn(elementBytes, dtype);
}

export interface TensorEntry {
  readonly name: string;
  /** An {@link ElementName}, or a type that is not read. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Bytes from the start of the data. */
  readonly start: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /** Where the data begins in the file, bytes. */
  readonly dataStart: number;
}

export const maximumHeaderBytes = 100_000_000;
const maximumTensors = 100_000;
const maximumRank = 8;
const metadataName = '__metadata__';

/** An INVALID_SAFETENSORS about `source`. */
export function invalid(source: string, problem: string, cause?: unknown): AttnswapError {
  return new AttnswapError('INVALID_SAFETENSORS', `${source}: ${problem}`, {
    hint: 'write the file again; python: safetensors.numpy.save_file(tensors, path, metadata)',
    ...(cause !== undefined && { cause }),
  });
}

/**
 * Reads the header's bytes and checks every claim in them: shapes that span exactly their bytes where the dtype's size is known,
 * no overlap, no hole, nothing beyond the data. Format: github.com/huggingface/safetensors, «Format».
 * @throws INVALID_SAFETENSORS naming file, tensor, got and expected
 */
export function parseHeader(bytes: Uint8Array, source: string, place: { dataStart: number; dataBytes: number }): SafetensorsHeader {
  const entries = parseJson(decodeText(bytes, source), source);
  const tensors = new Map<string, TensorEntry>();
  for (const [name, entry] of entries) if (name !== metadataName) tensors.set(name, readEntry(name, entry, source));
  if (tensors.size > maximumTensors) throw invalid(source, `more than ${maximumTensors} tensors`);
  checkLayout([...tensors.values()], source, place.dataBytes);
  return { metadata: readMetadata(entries.get(metadataName), source), tensors, dataStart: place.dataStart };
}

function decodeText(bytes: Uint8Array, source: string): string {
  if (bytes[0] !== 0x7b) throw invalid(source, `header begins with byte ${bytes[0] ?? 'none'}, expected 123 ("{")`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw invalid(source, 'header is not UTF-8', error);
  }
}

function parseJson(text: string, source: string): ReadonlyMap<string, HeaderJson> {
  try {
    // Beginning with "{", it is an object or no JSON. The deepest is a tensor's shape; the metadata is one name more.
    return parseHeaderJson(text, { maximumDepth: 3, maximumMembers: maximumTensors + 1 }) as ReadonlyMap<string, HeaderJson>;
  } catch (error) {
    throw invalid(source, `header is not valid safetensors JSON: ${(error as Error).message}`, error);
  }
}

function readMetadata(value: HeaderJson | undefined, source: string): ReadonlyMap<string, string> {
  if (value === undefined) return new Map();
  if (value instanceof Map && [...value.values()].every((text) => typeof text === 'string')) return value as ReadonlyMap<string, string>;
  throw invalid(source, `${metadataName} is not an object of strings`);
}

function readEntry(name: string, entry: HeaderJson, source: string): TensorEntry {
  const at = `tensor ${JSON.stringify(name.slice(0, 100))}`;
  if (!(entry instanceof Map)) throw invalid(source, `${at} is not an object`);
  const fields = entry as ReadonlyMap<string, HeaderJson>;
  const [dtype, shape, offsets] = [fields.get('dtype'), fields.get('shape'), fields.get('data_offsets')];
  if (typeof dtype !== 'string' || !/^[A-Z][A-Z0-9_]{0,31}$/.test(dtype))
    throw invalid(source, `${at}: dtype is ${show(dtype)}, expected a type such as F32`);
  if (!isSizes(shape) || shape.length > maximumRank)
    throw invalid(source, `${at}: shape is ${show(shape)}, expected up to ${maximumRank} whole numbers ≥ 0`);
  if (!isSizes(offsets) || offsets.length !== 2)
    throw invalid(source, `${at}: data_offsets is ${show(offsets)}, expected two whole numbers ≥ 0`);
  const [start, end] = offsets as [number, number];
  const bytes = isReadable(dtype) ? shape.reduce((product, size) => product * size, elementBytes[dtype]) : Math.max(0, end - start);
  if (end - start !== bytes)
    throw invalid(source, `${at}: data_offsets span ${end - start} bytes, expected ${bytes} for ${dtype} [${shape.join(', ')}]`);
  return { name, dtype, shape, start, end };
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function show(value: unknown): string {
  return (JSON.stringify(value) ?? 'missing').slice(0, 100);
}

function checkLayout(tensors: readonly TensorEntry[], source: string, dataBytes: number): void {
  let at = 0;
  for (const { name, start, end } of tensors.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    const named = `tensor ${JSON.stringify(name.slice(0, 100))}`;
    if (start < at) throw invalid(source, `${named} begins at byte ${start}, overlapping the previous tensor, which ends at ${at}`);
    if (start > at) throw invalid(source, `${named} begins at byte ${start}, expected ${at}: there is a gap`);
    at = end;
  }
  if (at !== dataBytes) throw invalid(source, `the tensors use ${at} bytes, but the file has ${dataBytes} bytes of data`);
}
