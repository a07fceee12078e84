import { AttnswapError } from '../contract/errors.ts';

/** Element types of the format and their sizes, bytes. */
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

export interface TensorEntry {
  readonly name: string;
  readonly dtype: ElementName;
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

/** An INVALID_SAFETENSORS about `source`. */
export function invalid(source: string, problem: string, cause?: unknown): AttnswapError {
  return new AttnswapError('INVALID_SAFETENSORS', `${source}: ${problem}`, {
    hint: 'write the file again; python: safetensors.numpy.save_file(tensors, path, metadata)',
    ...(cause !== undefined && { cause }),
  });
}

/**
 * Reads the header's text and checks every claim in it: known dtypes, shapes that span exactly their bytes, no overlap, no
 * hole, nothing beyond the data. Format: github.com/huggingface/safetensors, «Format».
 * @throws INVALID_SAFETENSORS naming file, tensor, got and expected
 */
export function parseHeader(text: string, source: string, place: { dataStart: number; dataBytes: number }): SafetensorsHeader {
  if (!text.startsWith('{')) throw invalid(source, `header begins with ${JSON.stringify(text.slice(0, 1))}, expected "{"`);
  refuseDuplicates(text, source);
  const parsed = parseJson(text, source);
  const entries = Object.entries(parsed);
  if (entries.length > maximumTensors) throw invalid(source, `${entries.length} tensors, expected at most ${maximumTensors}`);
  const tensors = new Map<string, TensorEntry>();
  for (const [name, entry] of entries) if (name !== '__metadata__') tensors.set(name, readEntry(name, entry, source));
  checkLayout([...tensors.values()], source, place.dataBytes);
  return { metadata: readMetadata(entries.find(([name]) => name === '__metadata__')?.[1], source), tensors, dataStart: place.dataStart };
}

function parseJson(text: string, source: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid(source, `header is not JSON: ${(error as Error).message}`, error);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw invalid(source, 'header is not a JSON object');
}

/** JSON.parse keeps the last of two equal names, which would hide a tensor: names at depth 1 are compared as written. */
function refuseDuplicates(text: string, source: string): void {
  const seen = new Set<string>();
  let depth = 0;
  for (const match of text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g)) {
    const token = match[0];
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    else if (depth === 1 && match[1] !== undefined) {
      if (seen.has(token)) throw invalid(source, `the name ${token.slice(0, 100)} stands twice`);
      seen.add(token);
    }
  }
}

function readMetadata(value: unknown, source: string): Map<string, string> {
  if (value === undefined) return new Map();
  const entries = typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : undefined;
  if (entries?.every(([, text]) => typeof text === 'string') === true) return new Map(entries as [string, string][]);
  throw invalid(source, '__metadata__ is not an object of strings');
}

function readEntry(name: string, entry: unknown, source: string): TensorEntry {
  const at = `tensor ${JSON.stringify(name.slice(0, 100))}`;
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) throw invalid(source, `${at} is not an object`);
  const { dtype, shape, data_offsets: offsets } = entry as Record<string, unknown>;
  if (typeof dtype !== 'string' || !Object.hasOwn(elementBytes, dtype)) {
    throw invalid(
      source,
      `${at}: dtype is ${JSON.stringify(dtype)?.slice(0, 100)}, expected one of ${Object.keys(elementBytes).join(', ')}`,
    );
  }
  if (!isSizes(shape) || shape.length > maximumRank)
    throw invalid(source, `${at}: shape is ${show(shape)}, expected up to ${maximumRank} whole numbers ≥ 0`);
  if (!isSizes(offsets) || offsets.length !== 2)
    throw invalid(source, `${at}: data_offsets is ${show(offsets)}, expected two whole numbers ≥ 0`);
  const [start, end] = offsets as [number, number];
  const bytes = shape.reduce((product, size) => product * size, elementBytes[dtype as ElementName]);
  if (end - start !== bytes)
    throw invalid(source, `${at}: data_offsets span ${end - start} bytes, expected ${bytes} for ${dtype} [${shape.join(', ')}]`);
  return { name, dtype: dtype as ElementName, shape, start, end };
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
    if (start < at) throw invalid(source, `${named} begins at byte ${start}, inside the one before it, which ends at ${at}`);
    if (start > at) throw invalid(source, `${named} begins at byte ${start}, expected ${at}: a hole`);
    at = end;
  }
  if (at !== dataBytes) throw invalid(source, `the tensors fill ${at} bytes, but the file holds ${dataBytes} of data`);
}
