import assert from 'node:assert/strict';
import type { Tensors } from '../src/contract/tensor.ts';
import { parseReplacements } from '../src/migration/parse-replacements.ts';
import type { OnnxFile } from '../src/model/file/onnx-file.ts';
import { openProto, usingModel } from '../src/model/file/open-proto.ts';
import { isSameTensor } from '../src/model/sites/mask-sources.ts';
import type { Site } from '../src/model/sites/site.ts';
import { proveUnchanged } from '../src/model/swap/prove.ts';
import { swapSites } from '../src/model/swap/swap.ts';
import { runner, subjectOf } from './subjects.ts';

/** The one site of a model is swapped: on each of some inputs, both models give the same, and the same bytes beside `y`. */
export async function assertSwapped(file: OnnxFile, text: string, items: readonly Tensors[]): Promise<readonly Site[]> {
  const { sites } = await subjectOf(file);
  assert.deepEqual(
    sites.sites.map(({ swappable, reason }) => [swappable, reason]),
    [[true, undefined]],
  );
  const proto = swapSites(sites, { adapter: runner.adapter, replacements: parseReplacements([text], [0], runner.adapter), seed: 1 });
  proveUnchanged(sites.proto, proto);
  await usingModel(openProto(sites.proto, file, runner), (original) =>
    usingModel(openProto(proto, file, runner), async (changed) => {
      for (const feeds of items) {
        const [before, now] = [original.bind(feeds), changed.bind(feeds)];
        await before.run();
        await now.run();
        const [expected, actual] = [before.outputs(), now.outputs()];
        for (const name of Object.keys(expected).filter((each) => each !== 'y'))
          assert.ok(isSameTensor(expected[name], actual[name]), name);
        const own = actual['y']!.data as Float32Array;
        (expected['y']!.data as Float32Array).forEach((value, at) => assert.ok(Math.abs(value - own[at]!) < 1e-5, `y[${at}]`));
      }
    }),
  );
  return sites.sites;
}
