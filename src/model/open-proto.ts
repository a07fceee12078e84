import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import type { ModelProto } from 'onnx-buf';
import type { Adapter, OpenModel } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import { writeOnnxFile } from './onnx-file.ts';
import type { OnnxFile } from './onnx-file.ts';

/** What opens models: an adapter, and one of its backends. */
export interface ModelRunner {
  readonly adapter: Adapter;
  readonly backend: string;
}

/**
 * Opens a model that was read from `file` and changed since; its external data is found where the file has it.
 * @throws UNSUPPORTED where the backend is missing or runs no models; INVALID_MODEL
 */
export async function openProto(
  proto: ModelProto,
  file: OnnxFile,
  { adapter, backend }: ModelRunner,
  purpose: 'latency' | 'reading' = 'latency',
): Promise<OpenModel> {
  const open = async (model: string | Uint8Array): Promise<OpenModel> => {
    const opened = await adapter.openModel?.({ backend, model, purpose });
    if (opened === undefined || 'unsupported' in opened)
      throw new AttnswapError('UNSUPPORTED', opened?.unsupported ?? `${adapter.name} runs no models`, {
        hint: 'attnswap doctor lists what this machine runs',
      });
    return opened;
  };
  if (file.externalFiles.length === 0) return open(toBinary(ModelProtoSchema, proto));
  const folder = await mkdtemp(join(tmpdir(), 'attnswap-'));
  try {
    const path = join(folder, 'model.onnx');
    await writeOnnxFile(path, proto, file, { externalFiles: 'link' });
    return await open(path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Gives a model to `work`, and disposes of it whatever becomes of that. */
export async function usingModel<Model extends { dispose(): Promise<void> }, Result>(
  opening: Promise<Model>,
  work: (model: Model) => Promise<Result>,
): Promise<Result> {
  const model = await opening;
  try {
    return await work(model);
  } finally {
    await model.dispose();
  }
}
