import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ModelProto } from 'onnx-buf';
import { adapter } from '../../adapters/onnx/with-graphs.ts';
import * as dynamo from '../../tests/models/dynamo.ts';
import * as torchscript from '../../tests/models/torchscript-bert.ts';
import type { Item } from '../contract/data.ts';
import { findSites } from '../model/sites/find-sites.ts';
import { GraphIndex } from '../model/graph/graph-index.ts';
import { numbersOf } from '../model/sites/mask-sources.ts';
import { followingNorm } from '../model/graph/norms.ts';
import { readOnnxFile } from '../model/file/onnx-file.ts';
import { openProto, usingModel } from '../model/file/open-proto.ts';
import { withOutputs } from '../model/graph/with-outputs.ts';
import { proveUnchanged } from '../model/swap/prove.ts';
import { candidateProto } from './graph.ts';
import type { Graph } from './graph.ts';
import { recalibrateNorms } from './recalibrate.ts';
import type { ModelCandidate } from './subject.ts';

const runner = { adapter, backend: 'onnx-cpu' };

async function subject(model: typeof torchscript | typeof dynamo) {
  const path = join(mkdtempSync(join(tmpdir(), 'attnswap-norms-')), 'model.onnx');
  writeFileSync(path, model.build({ seed: 1 }));
  const file = await readOnnxFile(path);
  const sites = await findSites(file, runner);
  const graph: Graph = { file, sites, runner, seed: 1, cache: null };
  const items: Item[] = [1, 2, 3].map((seed) => ({ id: `${seed}`, length: 24, feeds: model.feeds({ batch: 1, length: 24, seed }) }));
  const window = { variant: 'window', kernel: 'tiled', parameters: { w: 2, globals: 0 } };
  const candidate: ModelCandidate = { name: 'window', replacements: new Map([...sites.swappable.keys()].map((site) => [site, window])) };
  return { graph, items, candidate };
}

/** Mean and standard deviation of every channel of a tensor, over items. */
async function moments({ file }: Graph, proto: ModelProto, tensor: string, channels: number, items: readonly Item[]) {
  const values = await usingModel(openProto(withOutputs(proto, [tensor]), file, runner), async (model) => {
    const all: number[][] = Array.from({ length: channels }, () => []);
    for (const { feeds } of items) {
      const bound = model.bind(feeds);
      await bound.run();
      numbersOf(bound.outputs()[tensor]!).forEach((value, at) => all[at % channels]!.push(value));
    }
    return all;
  });
  return values.map((channel) => {
    const mean = channel.reduce((sum, value) => sum + value, 0) / channel.length;
    return { mean, deviation: Math.sqrt(channel.reduce((sum, value) => sum + (value - mean) ** 2, 0) / channel.length) };
  });
}

for (const [name, model] of Object.entries({ 'a written-out': torchscript, 'a one-operator': dynamo })) {
  test(`${name} layer norm after a swapped site gets the original's mean and deviation back, and nothing else changes`, async () => {
    const { graph, items, candidate } = await subject(model);
    const values = await recalibrateNorms(graph, candidate, items);
    const { sites } = graph;
    const index = new GraphIndex(sites.proto.graph!);
    const norms = [...sites.swappable.values()].map(({ plan }) => followingNorm(index, plan.output.tensor)!);
    assert.equal(Object.keys(values).length, 2 * norms.length);
    const plain = candidateProto(graph, candidate);
    const mended = candidateProto(graph, { ...candidate, norms: values });
    for (const { output, channels } of norms) {
      const [wanted, before, after] = [
        await moments(graph, sites.proto, output, channels, items),
        await moments(graph, plain, output, channels, items),
        await moments(graph, mended, output, channels, items),
      ];
      const far = (from: typeof wanted) =>
        Math.max(...wanted.map(({ mean, deviation }, at) => Math.abs(mean - from[at]!.mean) / deviation));
      assert.ok(far(before) > 0.02, `the swap moved the means by ${far(before)}`);
      assert.ok(far(after) < 1e-3, `after calibration they are off by ${far(after)}`);
      wanted.forEach(({ deviation }, at) => {
        const ratio = deviation / before[at]!.deviation;
        if (ratio > 0.5 && ratio < 2) assert.ok(Math.abs(after[at]!.deviation / deviation - 1) < 1e-3);
      });
    }
    const proof = proveUnchanged(sites.proto, mended, new Set(Object.keys(values)));
    assert.ok(proof.nodesKept > 0);
    assert.throws(() => proveUnchanged(sites.proto, mended), { code: 'INVALID_MODEL' });
  });
}

test('a softmax temperature changes what a swapped site gives, and a factor of 1 does not', async () => {
  const { graph, items, candidate } = await subject(torchscript);
  const outputsAt = async (scaleFactor: number) => {
    const replacements = new Map([...candidate.replacements].map(([site, replacement]) => [site, { ...replacement, scaleFactor }]));
    return usingModel(openProto(candidateProto(graph, { ...candidate, replacements }), graph.file, runner), async (model) => {
      const bound = model.bind(items[0]!.feeds);
      await bound.run();
      return numbersOf(Object.values(bound.outputs())[0]!);
    });
  };
  const [plain, same, warmer] = [await outputsAt(1), await outputsAt(1), await outputsAt(0.5)];
  assert.deepEqual(same, plain);
  assert.ok(plain.some((value, at) => Math.abs(value - warmer[at]!) > 1e-3));
});
