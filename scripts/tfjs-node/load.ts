import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import util from 'node:util';

export interface Tensor {
  readonly shape: readonly number[];
  arraySync(): unknown;
  dispose(): void;
}

/** The part of tfjs-node that its binding is checked with. */
export interface TfjsNode {
  tensor(values: unknown, shape?: readonly number[], dtype?: 'float32' | 'int32'): Tensor;
  matMul(a: Tensor, b: Tensor, transposeA?: boolean, transposeB?: boolean): Tensor;
  softmax(logits: Tensor): Tensor;
  topk(values: Tensor, k: number): { readonly values: Tensor; readonly indices: Tensor };
  gather(values: Tensor, indices: Tensor, axis?: number, batchDims?: number): Tensor;
  concat(tensors: readonly Tensor[], axis: number): Tensor;
  memory(): { readonly numTensors: number; readonly numBytes: number };
  getBackend(): string;
  backend(): { readonly binding: { readonly TF_Version: string } };
  readonly version: Readonly<Record<string, string>>;
}

/** What tfjs-node's files take from node:util: Node 23 has no isNullOrUndefined any more, and isArray is deprecated, which Node says. */
const takenFromUtil = {
  isNullOrUndefined: (value: unknown): boolean => value === null || value === undefined,
  isArray: Array.isArray,
};

/** Loads the package in a folder, after giving it what it takes from node:util. TensorFlow's remarks about the processor are left out. */
export function loadTfjsNode(folder: string): TfjsNode {
  Object.assign(util, takenFromUtil);
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '1';
  return createRequire(import.meta.url)(resolve(folder)) as TfjsNode;
}
