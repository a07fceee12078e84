import { fromBinary } from '@bufbuild/protobuf';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { getHeapStatistics } from 'node:v8';
import { ModelProtoSchema } from 'onnx-buf';
import type { ModelProto } from 'onnx-buf';
import { AttnswapError } from '../../contract/errors.ts';
import { openRegular, readable, readAt } from '../../files/read-bytes.ts';
import { checkModel } from './check-model.ts';
import { findExternalFiles } from './external-files.ts';
import type { ExternalFile } from './external-files.ts';
import { headBytes, refuseForeign } from './foreign-files.ts';
import { invalidModel } from './invalid-model.ts';
import { scanModel } from './scan-protobuf.ts';
import { sortNodes } from './sort-nodes.ts';

export type { ExternalFile } from './external-files.ts';
export { writeOnnxFile } from './write-onnx-file.ts';

/** What a protobuf may hold at most, bytes. */
export const maximumProtobufBytes = 2 ** 31 - 1;

/** A model file, read and checked; the data of external tensors stay in their files. */
export interface OnnxFile {
  readonly path: string;
  /** As it stands in the file: raw data are views of its bytes, unknown fields are kept. */
  readonly proto: ModelProto;
  /** Of the model's file and then of its external files in order of name, hex. */
  readonly sha256: string;
  /** In order of name. */
  readonly externalFiles: readonly ExternalFile[];
}

/** Reads an untrusted model. @throws FILE_UNREADABLE, INVALID_MODEL */
export async function readOnnxFile(path: string): Promise<OnnxFile> {
  const bytes = await readModelBytes(path);
  const proto = parseModel(bytes, path);
  const externalFiles = await readable(path, () => findExternalFiles(proto, path));
  const hash = createHash('sha256').update(bytes);
  for (const file of externalFiles)
    await readable(file.path, async () => {
      for await (const chunk of createReadStream(file.path)) hash.update(chunk as Uint8Array);
    });
  return { path, proto, sha256: hash.digest('hex'), externalFiles };
}

/**
 * Parses and checks a model's bytes, but not its external files; `path` names it in errors. Parsing may take half of
 * the heap.
 * @throws INVALID_MODEL
 */
export function parseModel(bytes: Uint8Array<ArrayBuffer>, path: string): ModelProto {
  if (bytes.length === 0) throw invalidModel(path, 'the file is empty, expected an ONNX model', 'download or export it again');
  refuseForeign(bytes, path);
  scanModel(bytes, path, getHeapStatistics().heap_size_limit / 2);
  const proto = decode(bytes, path);
  for (const graph of [proto.graph ?? [], proto.functions].flat()) sortNodes(graph);
  checkModel(proto, path);
  return proto;
}

/** The scan leaves nothing that parsing refuses but strings too long for the engine. */
function decode(bytes: Uint8Array<ArrayBuffer>, path: string): ModelProto {
  try {
    return fromBinary(ModelProtoSchema, bytes);
  } catch (error) {
    throw new AttnswapError('INVALID_MODEL', `${path}: not an ONNX model: ${(error as Error).message}`, {
      hint: 'check it with python -m onnx.checker',
      cause: error,
    });
  }
}

async function readModelBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const { file, bytes } = await openRegular(path, (at, problem) =>
    invalidModel(at, `${problem}, expected an ONNX file`, 'pass the .onnx file itself'),
  );
  try {
    if (bytes > maximumProtobufBytes) {
      refuseForeign(await readAt(file, path, { position: 0, length: headBytes, short: invalidModel }), path);
      throw invalidModel(
        path,
        `${bytes} bytes, expected at most ${maximumProtobufBytes}, the protobuf limit`,
        'save it with external data: onnx.save_model(model, path, save_as_external_data=True)',
      );
    }
    return await readAt(file, path, { position: 0, length: bytes, short: invalidModel });
  } finally {
    await file.close();
  }
}
