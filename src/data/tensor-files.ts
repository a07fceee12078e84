import { extname, basename } from 'node:path';
import type { Tensor, Tensors } from '../contract/tensor.ts';
import { tensorTypes } from '../contract/tensor.ts';
import { openSafetensors, writeSafetensors } from '../inputs/safetensors.ts';
import type { SafetensorsFile } from '../inputs/safetensors.ts';
import type { TensorEntry } from '../inputs/safetensors-header.ts';
import { checkTensor, checkTruths, invalidData } from './check-tensor.ts';
import { elementTypes, tensorOfBytes } from './element-types.ts';
import { parseNpy } from './npy.ts';
import { parseNpz } from './npz.ts';
import { readBytes } from '../files/read-bytes.ts';

/** Endings of the files that {@link readTensors} reads. */
export const tensorFileEndings = ['.safetensors', '.npz', '.npy'] as const;

const numpyFile = { bytes: 2 ** 31 - 1, hint: 'save large tensors as .safetensors' } as const;

/**
 * Reads an untrusted file of tensors: `.safetensors`, `.npz`, or `.npy`, whose one tensor is named as the file is. Types that no
 * model input has are refused, BF16 among them: nothing is converted silently.
 * @throws FILE_UNREADABLE; INVALID_SAFETENSORS where a .safetensors is malformed; INVALID_DATA
 */
export async function readTensors(path: string): Promise<Tensors> {
  const ending = extname(path).toLowerCase();
  if (ending === '.safetensors') return readSafetensors(path);
  if (ending === '.npz') return parseNpz(await readBytes(path, numpyFile), path);
  if (ending === '.npy') return { [basename(path, extname(path))]: parseNpy(await readBytes(path, numpyFile), path) };
  throw invalidData(path, `ends in ${JSON.stringify(ending)}, expected ${tensorFileEndings.join(', ')}`);
}

/**
 * Writes tensors as .safetensors, whole or not at all.
 * @throws FILE_UNWRITABLE; INVALID_DATA where a tensor's values do not match its type and dims
 */
export async function writeTensors(path: string, tensors: Tensors, metadata: Readonly<Record<string, string>> = {}): Promise<void> {
  const entries = Object.entries(tensors).map(([name, tensor]) => {
    checkTensor(tensor, `tensor ${JSON.stringify(name)}`);
    const { type, dims, data } = tensor;
    return [name, { dtype: elementTypes[type].safetensors, shape: dims, data }] as const;
  });
  await writeSafetensors(path, Object.fromEntries(entries), metadata);
}

async function readSafetensors(path: string): Promise<Tensors> {
  const file = await openSafetensors(path);
  try {
    const tensors: (readonly [string, Tensor])[] = [];
    for (const entry of file.tensors.values()) tensors.push([entry.name, await readEntry(file, entry)]);
    if (tensors.length === 0) throw invalidData(path, 'contains no tensor, expected at least one');
    return Object.fromEntries(tensors);
  } finally {
    await file.close();
  }
}

async function readEntry(file: SafetensorsFile, entry: TensorEntry): Promise<Tensor> {
  const source = `${file.path}, tensor ${JSON.stringify(entry.name.slice(0, 100))}`;
  const type = tensorTypes.find((known) => elementTypes[known].safetensors === entry.dtype);
  if (type === undefined) {
    const expected = tensorTypes.map((known) => elementTypes[known].safetensors).join(', ');
    const hint =
      entry.dtype === 'BF16'
        ? 'ONNX Runtime does not accept bfloat16 inputs here; save it as F32 or F16; python: tensor.float()'
        : 'save it with the type that the model accepts';
    throw invalidData(source, `dtype is ${entry.dtype}, expected one of ${expected}`, { hint });
  }
  const tensor = tensorOfBytes(type, entry.shape, await file.bytes(entry));
  if (type === 'bool') checkTruths(tensor.data as Uint8Array, source);
  return tensor;
}
