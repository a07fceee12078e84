import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { adapter } from '../../adapters/onnx/with-graphs.ts';
import { loadData } from '../../src/data/data-module.ts';
import type { AttentionInputs } from '../../src/contract/inputs.ts';
import { openForCapture } from '../../src/model/swap/capture.ts';
import { findSites } from '../../src/model/sites/find-sites.ts';
import type { ModelSites } from '../../src/model/sites/find-sites.ts';
import { readOnnxFile } from '../../src/model/file/onnx-file.ts';
import type { OnnxFile } from '../../src/model/file/onnx-file.ts';
import { usingModel } from '../../src/model/file/open-proto.ts';
import { findVariant } from '../../src/variants/index.ts';
import { measureWaste } from '../../src/waste/measure-waste.ts';
import { buildEncoder, encoder } from './encoder.ts';
import { logMel, sampleRate } from './log-mel.ts';
import { speak, voices } from './speak.ts';

const data = await loadData(new URL('speech.data.ts', import.meta.url).pathname, { inputs: [] });
const runner = { adapter, backend: 'onnx-cpu' };

describe('the encoder', () => {
  let file: OnnxFile;
  let sites: ModelSites;
  before(async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'attnswap-speech-')), 'encoder.onnx');
    writeFileSync(path, buildEncoder(1));
    file = await readOnnxFile(path);
    sites = await findSites(file, runner);
  });

  test('has four sites that can be swapped, each with six heads of 64', () => {
    assert.equal(sites.swappable.size, encoder.layers);
    for (const { heads, headDim, mask, causal } of sites.sites)
      assert.deepEqual({ heads, headDim, mask, causal }, { heads: encoder.heads, headDim: 64, mask: 'none', causal: false });
    assert.deepEqual(sites.unknown, []);
  });

  test('attends to speech neither to all frames alike nor to one, and heads differ', async () => {
    const [item] = await data.items({ lengths: [500], itemsPerLength: 1, seed: 1 });
    const captured = await usingModel(openForCapture(sites, [...sites.swappable.values()], file, runner), (model) =>
      model.capture(item!.feeds),
    );
    for (const [site, inputs] of captured) {
      const shares = neededShares(inputs as AttentionInputs);
      assert.ok(
        shares.every((share) => share > 0.002 && share < 0.9),
        `site ${site}: ${shares.join()}`,
      );
      assert.ok(Math.max(...shares) > 4 * Math.min(...shares), `site ${site}: ${shares.join()}`);
    }
  });
});

/** The share of frames that hold 95 % of a query's weight, by head. */
function neededShares(inputs: AttentionInputs): number[] {
  const dense = findVariant('dense');
  const measured = measureWaste({ inputs, inputsName: 'speech', variant: dense, parameters: {}, dense, rows: { count: 64, seed: 1 } });
  return measured.heads.map(({ figures }) => 1 - figures.wastedCompute.p95!.value);
}

test('a passage of 100 tokens is 2 seconds: 200 windows of 80 bands, which sound to the end', async () => {
  const [item] = await data.items({ lengths: [100], itemsPerLength: 1, seed: 2 });
  const { type, dims, data: values } = item!.feeds['input_features']!;
  assert.deepEqual([type, dims], ['float32', [1, encoder.bands, 200]]);
  const loudest = (from: number) =>
    Math.max(...Array.from({ length: 50 }, (_, at) => Math.max(...column(values as Float32Array, 200, from + at))));
  for (let from = 0; from < 200; from += 50) assert.ok(loudest(from) > 0.5, `window ${from}: ${loudest(from)}`);
});

const column = (values: Float32Array, windows: number, window: number) =>
  Array.from({ length: encoder.bands }, (_, band) => values[band * windows + window]!);

test('the same request gives the same passages; another seed gives others', async () => {
  const request = { lengths: [50], itemsPerLength: 3, seed: 5 };
  const items = await data.items(request);
  assert.deepEqual(await data.items(request), items);
  assert.notDeepEqual(await data.items({ ...request, seed: 6 }), items);
  assert.equal(new Set(items.map(({ id }) => id)).size, 3);
});

test('lengths that the encoder does not take are refused', async () => {
  await assert.rejects(
    data.items({ lengths: [1501], itemsPerLength: 1, seed: 1 }),
    /length is 1501, expected 1 to 1500 tokens, 50 a second/,
  );
});

test('every voice says more the more there is to say', async () => {
  for (const voice of voices) {
    const [one, many] = [await speak('whale', voice), await speak('There go the ships; there is that Leviathan.', voice)];
    assert.ok(one.length > sampleRate / 10 && many.length > 2 * one.length, `${voice}: ${one.length}, ${many.length}`);
    assert.ok(many.every((sample) => sample >= -1 && sample <= 1));
    assert.ok(
      many.some((sample) => Math.abs(sample) > 0.05),
      voice,
    );
  }
});

test('a tone is in the band of its pitch, and what is 80 dB below the loudest is cut off', () => {
  const tone = (hertz: number) =>
    Float32Array.from({ length: sampleRate / 10 }, (_, at) => Math.sin((2 * Math.PI * hertz * at) / sampleRate));
  const loudestBand = (hertz: number) => {
    const bands = column(logMel(tone(hertz), encoder.bands), 10, 5);
    return bands.indexOf(Math.max(...bands));
  };
  // 80 bands up to 45.2 mel: 1000 Hz are 15 mel, 3200 Hz 31.9.
  assert.deepEqual([1000, 3200].map(loudestBand), [26, 56]);
  const values = logMel(tone(1000), encoder.bands);
  assert.ok(Math.abs(Math.max(...values) - Math.min(...values) - 2) < 1e-6, '8 powers of ten, divided by 4');
});
