import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelProto } from 'onnx-buf';
import type { Adapter, OpenModel } from '../../contract/adapter.ts';
import { AttnswapError } from '../../contract/errors.ts';
import { temporaryFolder } from '../../processes/temporary.ts';
import { writeOnnxFile } from './onnx-file.ts';
import type { OnnxFile } from './onnx-file.ts';
import { modelParts } from './serialize-model.ts';

/** What opens models: an adapter, and one of its backends. */
export interface ModelRunner {
  readonly adapter: Adapter;
  readonly backend: string;
}

/**
 * Opens a whole model: its bytes, or the path of its file.
 * @throws UNSUPPORTED where the backend is missing or cannot run models; INVALID_MODEL
 */
export async function openBytes(
  model: string | Uint8Array,
  { adapter, backend }: ModelRunner,
  purpose: 'latency' | 'reading',
): Promise<OpenModel> {
  const opened = await adapter.openModel?.({ backend, model, purpose });
  if (opened !== undefined && !('unsupported' in opened)) return opened;
  throw new AttnswapError('UNSUPPORTED', opened?.unsupported ?? `${adapter.name} cannot run models`, {
    hint: 'attnswap doctor lists what this machine runs',
  });
}

/**
 * Opens a model that was read from `file` and changed since; its external data is found where the file has it.
 * @throws UNSUPPORTED where the backend is missing or cannot run models; INVALID_MODEL
 */
export async function openProto(
  proto: ModelProto,
  file: OnnxFile,
  runner: ModelRunner,
  purpose: 'latency' | 'reading' = 'latency',
): Promise<OpenModel> {
  if (file.externalFiles.length === 0) return openBytes(Buffer.concat(modelParts(proto)), runner, purpose);
  const folder = await temporaryFolder('model');
  try {
    const path = join(folder, 'model.onnx');
    await writeOnnxFile(path, proto, file, { externalFiles: 'link' });
    return await openBytes(path, runner, purpose);
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
