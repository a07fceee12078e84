import type { FileHandle } from 'node:fs/promises';
import { AttnswapError } from '../contract/errors.ts';
import { openRegular, readAt } from '../files/read-bytes.ts';
import { replaceFile, targetOf } from '../files/whole-file.ts';
import { maximumElements } from './check-shape.ts';
import { decodeBfloat, decodeHalf } from './half-precision.ts';
import { elementBytes, invalid, isReadable, maximumHeaderBytes, parseHeader } from './safetensors-header.ts';
import type { ElementName, SafetensorsHeader, TensorEntry } from './safetensors-header.ts';
import { systemReason } from '../files/system-reason.ts';

/** An open safetensors file: the header is read and checked, tensors are read when asked for. */
export interface SafetensorsFile extends SafetensorsHeader {
  readonly path: string;
  /** The tensor's bytes, little-endian. @throws INVALID_SAFETENSORS where its type is not read, or it holds more than 2³¹ elements */
  bytes(tensor: TensorEntry): Promise<Uint8Array<ArrayBuffer>>;
  close(): Promise<void>;
}

/** Opens an untrusted file. @throws FILE_UNREADABLE, INVALID_SAFETENSORS */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  const { file } = await openRegular(path);
  try {
    const header = await readHeader(file, path);
    return { ...header, path, bytes: (tensor) => tensorBytes(file, path, header, tensor), close: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readHeader(file: FileHandle, path: string): Promise<SafetensorsHeader> {
  const { size } = await file.stat();
  if (size < 8) throw invalid(path, `${size} bytes, expected at least 8 for the header's length`);
  const length = Buffer.from(await readAt(file, path, { position: 0, length: 8, short: invalid })).readBigUInt64LE();
  const most = Math.min(size - 8, maximumHeaderBytes);
  if (length > BigInt(most)) throw invalid(path, `header length is ${length}, expected at most ${most}`);
  const dataStart = 8 + Number(length);
  return parseHeader(await readAt(file, path, { position: 8, length: Number(length), short: invalid }), path, {
    dataStart,
    dataBytes: size - dataStart,
  });
}

async function tensorBytes(
  file: FileHandle,
  path: string,
  header: SafetensorsHeader,
  tensor: TensorEntry,
): Promise<Uint8Array<ArrayBuffer>> {
  const named = `tensor ${JSON.stringify(tensor.name.slice(0, 100))}`;
  if (!isReadable(tensor.dtype))
    throw invalid(path, `${named}: dtype is ${tensor.dtype}, expected one of ${Object.keys(elementBytes).join(', ')}`);
  const elements = (tensor.end - tensor.start) / elementBytes[tensor.dtype];
  if (elements > maximumElements) throw invalid(path, `${named} holds ${elements} elements, expected at most ${maximumElements}`);
  return readAt(file, path, { position: header.dataStart + tensor.start, length: tensor.end - tensor.start, short: invalid });
}

/** Float values of any precision as f32; F64 is rounded to it. @throws INVALID_SAFETENSORS for other dtypes */
export function floatsOf(bytes: Uint8Array<ArrayBuffer>, dtype: string): Float32Array {
  if (dtype === 'F32') return new Float32Array(bytes.buffer);
  if (dtype === 'F64') return Float32Array.from(new Float64Array(bytes.buffer));
  if (dtype === 'F16') return Float32Array.from(new Uint16Array(bytes.buffer), decodeHalf);
  if (dtype === 'BF16') return Float32Array.from(new Uint16Array(bytes.buffer), decodeBfloat);
  throw invalid('tensor', `dtype is ${dtype}, expected F64, F32, F16 or BF16`);
}

export interface TensorToWrite<Data extends ArrayBufferView = Float32Array | Uint8Array> {
  readonly dtype: ElementName;
  readonly shape: readonly number[];
  /** Row-major values of that type; f16 and bf16 as bit patterns. */
  readonly data: Data;
}

/**
 * Writes a file whole: to a temporary file beside it, flushed, then renamed; a failure leaves nothing behind. Every
 * tensor is aligned to its element's size.
 * @throws FILE_UNWRITABLE
 */
export async function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, TensorToWrite<ArrayBufferView>>>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const ordered = inFileOrder(tensors);
  try {
    const content = ordered.map(([, { data }]) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    await replaceFile(await targetOf(path), [headerBytes(ordered, metadata), ...content]);
  } catch (error) {
    throw new AttnswapError('FILE_UNWRITABLE', `${path}: could not be written: ${systemReason(error)}`, {
      hint: 'free some space or choose another file',
      cause: error,
    });
  }
}

/** Large elements first, so that every tensor begins at a multiple of its element's size. */
function inFileOrder(
  tensors: Readonly<Record<string, TensorToWrite<ArrayBufferView>>>,
): readonly (readonly [string, TensorToWrite<ArrayBufferView>])[] {
  return Object.entries(tensors).sort(([, a], [, b]) => elementBytes[b.dtype] - elementBytes[a.dtype]);
}

function headerBytes(
  tensors: readonly (readonly [string, TensorToWrite<ArrayBufferView>])[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  let at = 0;
  const entries = tensors.map(([name, { dtype, shape, data }]) => {
    const start = at;
    at += data.byteLength;
    return [name, { dtype, shape, data_offsets: [start, at] }] as const;
  });
  const text = JSON.stringify({ ...(Object.keys(metadata).length > 0 && { __metadata__: metadata }), ...Object.fromEntries(entries) });
  const padded = Buffer.from(text);
  const length = Math.ceil(padded.length / 8) * 8;
  const bytes = Buffer.alloc(8 + length, ' ');
  bytes.writeBigUInt64LE(BigInt(length));
  padded.copy(bytes, 8);
  return bytes;
}
