import { extname } from 'node:path';
import { invalidModel } from './invalid-model.ts';

/** Bytes of a file's head that tell what it is. */
export const headBytes = 64;

const fromPyTorch =
  'export the model: torch.onnx.export(model, inputs, "model.onnx", dynamo=True), or optimum-cli export onnx --model NAME FOLDER';
const fromTensorFlow = 'convert it: python -m tf2onnx.convert';

interface ForeignKind {
  readonly what: string;
  readonly hint: string;
  matches(head: Buffer): boolean;
}

const begins =
  (text: string, at = 0) =>
  (head: Buffer) =>
    head.toString('latin1', at, at + text.length) === text;

/** Files that are taken for models and are none that ONNX Runtime runs. */
const foreignKinds: readonly ForeignKind[] = [
  { what: 'a Git LFS pointer', hint: 'git lfs pull', matches: begins('version https://git-lfs') },
  {
    what: 'a safetensors file: weights without a graph',
    hint: fromPyTorch,
    matches: (head) => head.length > 9 && head.readBigUInt64LE(0) < 2n ** 27n && /^\{\s*["}]/.test(head.toString('latin1', 8)),
  },
  { what: 'a GGUF file: weights for llama.cpp', hint: `use the original checkpoint and ${fromPyTorch}`, matches: begins('GGUF') },
  {
    what: 'a zip archive, such as a PyTorch checkpoint (.pt, .pth, .bin), a Keras model or an .npz',
    hint: fromPyTorch,
    matches: begins('PK\u0003\u0004'),
  },
  {
    what: 'a Python pickle, such as an old PyTorch checkpoint',
    hint: fromPyTorch,
    matches: (head) => head[0] === 0x80 && head[1]! >= 2 && head[1]! <= 5,
  },
  { what: 'an HDF5 file, such as a Keras model', hint: fromTensorFlow, matches: begins('\u0089HDF') },
  { what: 'a TensorFlow Lite model', hint: fromTensorFlow, matches: begins('TFL3', 4) },
  { what: 'a model in ONNX Runtime’s own format (.ort)', hint: 'use the .onnx file it was made from', matches: begins('ORTM', 4) },
  { what: 'a NumPy array', hint: 'pass it with --data', matches: begins('\u0093NUMPY') },
  {
    what: 'an HTML page',
    hint: 'download the file itself: the URL was that of a web page about it',
    matches: (head) => /^\s*<(!doctype html|html)/i.test(head.toString('latin1')),
  },
];

/** Refuses a file that is a known kind of its own, by its first bytes. @throws INVALID_MODEL with what to do instead */
export function refuseForeign(head: Uint8Array, path: string): void {
  const found = foreignKinds.find(({ matches }) => matches(Buffer.from(head.subarray(0, headBytes))));
  if (found !== undefined) throw invalidModel(path, `the file is ${found.what}, expected an ONNX model`, found.hint);
}

const modelEndings = new Set('.onnx .ort .safetensors .gguf .pt .pth .ckpt .pkl .pickle .bin .h5 .hdf5 .keras .tflite .pb'.split(' '));

/** Whether a path is meant as a model's, of whatever kind. */
export function isModelPath(path: string): boolean {
  return modelEndings.has(extname(path).toLowerCase());
}
