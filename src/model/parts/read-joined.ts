import { createHash } from 'node:crypto';
import type { ModelProto } from 'onnx-buf';
import { readOnnxFile } from '../file/onnx-file.ts';
import type { OnnxFile } from '../file/onnx-file.ts';
import { inlineFunctions } from '../opset/inline-functions.ts';
import { upgradeOpset } from '../opset/upgrade-opset.ts';
import type { PartPaths } from './find-parts.ts';
import { joinModels, withoutPast } from './join-models.ts';

/** An encoder and its decoder as one model that no file holds; `path` is their folder. @throws FILE_UNREADABLE, INVALID_MODEL, UNSUPPORTED */
export async function readJoined(folder: string, { encoder, decoder }: PartPaths): Promise<OnnxFile> {
  return joinFiles(folder, await readOnnxFile(encoder), await readOnnxFile(decoder));
}

/** The same of files that were read before. @param changed what their models became since */
export function joinFiles(folder: string, encoder: OnnxFile, decoder: OnnxFile, changed: readonly ModelProto[] = []): OnnxFile {
  const [first, second] = [encoder, decoder].map(({ proto }, at) => prepared(changed[at] ?? proto));
  const external = new Map([...encoder.externalFiles, ...decoder.externalFiles].map((file) => [file.location, file]));
  return {
    path: folder,
    proto: joinModels(first!, withoutPast(second!)),
    sha256: createHash('sha256').update(encoder.sha256).update(decoder.sha256).digest('hex'),
    externalFiles: [...external.values()].toSorted((a, b) => (a.location < b.location ? -1 : 1)),
  };
}

function prepared(proto: ModelProto): ModelProto {
  return inlineFunctions(upgradeOpset(proto, 13).proto).proto;
}
