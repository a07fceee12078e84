import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { unzipSync, zipSync } from 'fflate';
import { ModelProtoSchema } from 'onnx-buf';
import { readFloats, readItems, readOrder } from '../../adapters/tfjs/training/files.ts';
import type { Tensors } from '../../src/contract/tensor.ts';
import { elementTypes } from '../../src/data/element-types.ts';
import { numpyArrays } from '../../src/data/fixtures/numpy-arrays.ts';
import { readTensors, writeTensors } from '../../src/data/tensor-files.ts';
import { readCapturedInputs, readGradients, readOutput } from '../../src/inputs/captured.ts';
import { writeSafetensors } from '../../src/inputs/safetensors.ts';
import { caseModel, cases } from '../../src/model/fixtures/upgrade-cases.ts';
import { GraphIndex } from '../../src/model/graph/graph-index.ts';
import { upgradeOpset } from '../../src/model/opset/upgrade-opset.ts';
import { matchFused } from '../../src/model/sites/match-fused.ts';
import { matchSoftmaxes } from '../../src/model/sites/match-softmax.ts';
import { readOnnxFile } from '../../src/model/file/onnx-file.ts';
import { readWeights, writeWeights } from '../../src/training/initial-weights.ts';
import * as qdq from '../models/qdq.ts';
import * as bert from '../models/torchscript-bert.ts';
import { smallTestbed, stirredWeights } from '../../src/training/fixtures/small-testbed.ts';
import { damagedBytes, pick } from './damage.ts';
import type { Reader } from './endure.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** Readers of tensors, inputs, weights and models. Without a checksum damage to a value is a value: what was read must only be whole in itself. */
export async function arrayReaders(folder: string): Promise<Reader[]> {
  const at = (name: string) => join(folder, name);
  const written = async (name: string, write: (path: string) => Promise<void>) => {
    await write(at(name));
    return new Uint8Array(await readFile(at(name)));
  };
  const reader = (
    file: string,
    share: number,
    whole: readonly Bytes[],
    check: (path: string, size: number) => Promise<string | undefined>,
  ) =>
    ({
      name: file,
      share,
      whole,
      damaged: (draw) => damagedBytes(pick(whole, draw), draw),
      async read(bytes: Bytes) {
        await writeFile(at(file), bytes);
        return check(at(file), bytes.length);
      },
    }) satisfies Reader<Bytes> as Reader;

  const arrays = Object.values(unzipSync(numpyArrays));
  const f32 = (dims: number[]) =>
    ({ dtype: 'F32', shape: dims, data: Float32Array.from({ length: product(dims) }, (_, index) => index / 7) }) as const;
  const i32 = (dims: number[]) =>
    ({ dtype: 'I32', shape: dims, data: Int32Array.from({ length: product(dims) }, (_, index) => index % 3) }) as const;
  const shape = { batch: 1, heads: 2, kvHeads: 1, queries: 3, keys: 3, headDim: 4, causal: true, dtype: 'f32' } as const;
  const testbed = smallTestbed({ vocabulary: 5, classes: 3, length: 4, width: 4, heads: 1, hidden: 4, attention: ['dense'] });
  const [q, kv] = [f32([1, 2, 3, 4]), f32([1, 1, 3, 4])];
  const mask = { dtype: 'U8', shape: [1, 3], data: Uint8Array.of(1, 1, 0) } as const;
  const tensors: Tensors = {
    x: { type: 'float32', dims: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
    ids: { type: 'int64', dims: [2], data: BigInt64Array.of(1n, 2n) },
    keep: { type: 'bool', dims: [3], data: Uint8Array.of(1, 0, 1) },
  };
  const models = Object.values(cases).map((each) => new Uint8Array(toBinary(ModelProtoSchema, caseModel(each))));
  models.push(new Uint8Array(bert.build()), new Uint8Array(qdq.build()));
  return [
    reader(
      'a.npy',
      14,
      arrays.map((bytes) => new Uint8Array(bytes)),
      async (path) => inconsistency(await readTensors(path)),
    ),
    npzReader(at('a.npz'), arrays),
    reader('a.safetensors', 14, [await written('a', (path) => writeTensors(path, tensors, { made: 'here' }))], async (path, size) =>
      inconsistency(await readTensors(path), size),
    ),
    reader(
      'captured',
      8,
      [await written('c', (path) => writeSafetensors(path, { q, k: kv, v: kv, mask }, { scale: '0.5', causal: 'true' }))],
      async (path) => {
        const { inputs } = await readCapturedInputs(path, { dtype: 'f32' });
        const { query, key, value, scale, shape: of } = inputs;
        const fits =
          query.length === of.batch * of.heads * of.queries * of.headDim && key.length === of.batch * of.kvHeads * of.keys * of.headDim;
        return fits && value.length === key.length && [...query, ...key, ...value, scale].every(Number.isFinite)
          ? undefined
          : 'not what its shape says';
      },
    ),
    reader('output', 5, [await written('o', (path) => writeSafetensors(path, { o: q, dq: q, dk: kv, dv: kv }))], async (path) => {
      const floats = await readFloats(path);
      const [output, { query, key, value }] = [await readOutput(path, shape), await readGradients(path, shape)];
      return output.length + query.length + key.length + value.length === 72 && floats.get('o')?.length === 24
        ? undefined
        : 'not what its shape says';
    }),
    reader('weights', 5, [await written('w', (path) => writeWeights(path, testbed, stirredWeights(testbed)))], async (path) =>
      [...(await readWeights(path, testbed)).values()].every((values) => values.every(Number.isFinite))
        ? undefined
        : 'a weight that is not finite',
    ),
    reader(
      'items',
      6,
      [await written('i', (path) => writeSafetensors(path, { tokens: i32([2, 4]), targets: i32([2, 4]), order: i32([2, 1]) }))],
      async (path) => {
        const { tokens, targets, items, length } = await readItems(path, testbed);
        const order = await readOrder(path, items);
        const fits = tokens.length === items * length && targets.length === tokens.length;
        return fits && order.every((batch) => batch.every((item) => item < items)) ? undefined : 'items that are not there';
      },
    ),
    reader('model.onnx', 16, models, async (path) => {
      const { proto } = await readOnnxFile(path);
      const bytes = toBinary(ModelProtoSchema, proto);
      const again = toBinary(ModelProtoSchema, fromBinary(ModelProtoSchema, bytes));
      const index = new GraphIndex(upgradeOpset(proto, 13).proto.graph!);
      matchSoftmaxes(index);
      matchFused(index);
      return Buffer.compare(bytes, again) === 0 ? undefined : 'another model when written again';
    }),
  ];
}

/** Every array has a checksum: it is read as it was, or not at all. Where an array was damaged before it was packed, there is nothing to see. */
function npzReader(path: string, arrays: readonly Uint8Array[]): Reader {
  const whole = new Uint8Array(numpyArrays);
  let expected: string | undefined;
  const read = async (bytes: Uint8Array) => {
    await writeFile(path, bytes);
    return readTensors(path);
  };
  return {
    name: 'a.npz',
    share: 10,
    whole: [{ bytes: whole, sealed: true }],
    damaged(draw) {
      if (draw(3) > 0) return { bytes: damagedBytes(whole, draw), sealed: true };
      return { bytes: zipSync({ 'a.npy': damagedBytes(pick(arrays, draw), draw), 'b.npy': arrays[0]! }), sealed: false };
    },
    async read({ bytes, sealed }) {
      expected ??= textOf(await read(whole));
      const tensors = await read(bytes);
      if (!sealed) return inconsistency(tensors);
      return textOf(tensors) === expected ? undefined : 'other arrays than were written';
    },
  } satisfies Reader<{ bytes: Uint8Array; sealed: boolean }> as Reader;
}

function product(dims: readonly number[]): number {
  return dims.reduce((all, size) => all * size, 1);
}

/** What of tensors is not as their types and sizes say; `most` is what all of their values can take. */
function inconsistency(tensors: Tensors, most = Number.POSITIVE_INFINITY): string | undefined {
  let bytes = 0;
  for (const [name, { type, dims, data }] of Object.entries(tensors)) {
    if (!(data instanceof elementTypes[type].array) || data.length !== product(dims)) return `${name} is not what its type and sizes say`;
    if (type === 'bool' && (data as Uint8Array).some((value) => value > 1)) return `${name} holds a bool of neither 0 nor 1`;
    bytes += data.byteLength;
  }
  return bytes <= most ? undefined : 'more values than the file holds';
}

function textOf(tensors: Tensors): string {
  return JSON.stringify(
    Object.entries(tensors).map(([name, { type, dims, data }]) => [name, type, dims, Buffer.from(data.buffer).toString('hex')]),
  );
}
