import { tensorTypes } from '../contract/tensor.ts';
import type { TensorType } from '../contract/tensor.ts';
import { elementsOf, invalidData } from './check-tensor.ts';
import { elementTypes } from './element-types.ts';

export interface NpyHeader {
  readonly type: TensorType;
  readonly dims: readonly number[];
  readonly elements: number;
  /** Whether the first index runs fastest, as Fortran has it. */
  readonly columnMajor: boolean;
  /** Where the values begin, bytes. */
  readonly dataStart: number;
}

const magic = Buffer.from('\x93NUMPY', 'latin1');
const maximumHeaderBytes = 0x1_0000;
const entry = String.raw`(?:'descr'\s*:\s*'[^'\\]{1,20}'|'fortran_order'\s*:\s*(?:True|False)|'shape'\s*:\s*\([\d, L]{0,200}\))`;
const dictionary = new RegExp(String.raw`^\{\s*${entry}\s*,\s*${entry}\s*,\s*${entry}\s*,?\s*\}\s*$`);
const resave = "python: numpy.save(path, array.astype('float32')), or the type that the model accepts";

/**
 * Reads the header of a .npy file, versions 1 to 3. Its text is a Python literal of fixed form, matched and never evaluated.
 * Format: numpy.lib.format, «Format Version 1.0» and following.
 * @throws INVALID_DATA for other byte orders, dtypes that no model takes, and object arrays, which are pickles
 */
export function parseNpyHeader(bytes: Uint8Array, source: string): NpyHeader {
  const { text, end } = headerText(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), source);
  if (/'descr'\s*:\s*\[/.test(text)) throw invalidData(source, 'holds a structured array, expected numbers', { hint: resave });
  const [descr, order, shape] = [/'descr'\s*:\s*'([^']*)'/, /'fortran_order'\s*:\s*(\w+)/, /'shape'\s*:\s*\(([^)]*)\)/].map(
    (field) => field.exec(text)?.[1],
  );
  if (!dictionary.test(text) || descr === undefined || order === undefined || shape === undefined)
    throw invalidData(source, `header is ${JSON.stringify(text.slice(0, 100))}, expected {'descr': …, 'fortran_order': …, 'shape': …}`);
  const dims = sizesOf(shape, source);
  return { type: typeOf(descr, source), dims, elements: elementsOf(dims, source), columnMajor: order === 'True', dataStart: end };
}

function headerText(bytes: Buffer, source: string): { text: string; end: number } {
  if (bytes.length < 12 || !bytes.subarray(0, 6).equals(magic)) throw invalidData(source, 'is not a .npy file');
  const version = bytes[6]!;
  if (version < 1 || version > 3) throw invalidData(source, `.npy version is ${version}, expected 1, 2 or 3`);
  const start = version === 1 ? 10 : 12;
  const length = version === 1 ? bytes.readUInt16LE(8) : bytes.readUInt32LE(8);
  const most = Math.min(maximumHeaderBytes, bytes.length - start);
  if (length > most) throw invalidData(source, `header length is ${length} bytes, expected at most ${most}`);
  return { text: bytes.toString('latin1', start, start + length), end: start + length };
}

function typeOf(descr: string, source: string): TensorType {
  if (descr.startsWith('|O'))
    throw invalidData(source, 'holds Python objects (a pickle, which could run code), expected numbers', { hint: resave });
  const type = tensorTypes.find((known) => elementTypes[known].npy === descr.slice(1));
  if (type === undefined)
    throw invalidData(source, `dtype is ${descr}, expected one of ${tensorTypes.map((known) => elementTypes[known].npy).join(', ')}`, {
      hint: resave,
    });
  if (descr.startsWith('<') || (descr.startsWith('|') && descr.endsWith('1'))) return type;
  throw invalidData(source, `dtype is ${descr}, expected little-endian <${descr.slice(1)}`, { hint: resave });
}

/** Sizes from a Python tuple's inside: «», «3,» or «3, 4»; «4L» is how Python 2 wrote long numbers. */
function sizesOf(tuple: string, source: string): readonly number[] {
  const parts = tuple.split(',').map((part) => part.trim());
  if (parts.at(-1) === '') parts.pop();
  else if (parts.length === 1) throw invalidData(source, `shape is (${tuple}), expected a tuple`);
  if (!parts.every((part) => /^\d{1,16}L?$/.test(part))) throw invalidData(source, `shape is (${tuple}), expected whole numbers ≥ 0`);
  return parts.map((part) => Number.parseInt(part, 10));
}
