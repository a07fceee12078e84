import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { adapter } from '../../adapters/onnx/with-graphs.ts';
import * as bert from '../../tests/models/torchscript-bert.ts';
import type { Item } from '../contract/data.ts';
import { captureFault, openForCapture } from '../model/swap/capture.ts';
import { findSites } from '../model/sites/find-sites.ts';
import type { ModelSites } from '../model/sites/find-sites.ts';
import { readOnnxFile } from '../model/file/onnx-file.ts';
import type { OnnxFile } from '../model/file/onnx-file.ts';
import { openProto, usingModel } from '../model/file/open-proto.ts';
import { swapSites } from '../model/swap/swap.ts';
import type { Migration } from './migration.ts';
import { OriginalOutputs } from './original-outputs.ts';
import { qualityOf } from './quality-of.ts';
import { swapOnItems } from './swap-on-items.ts';

const runner = { adapter, backend: 'onnx-cpu' };
const length = 16;
const fused = { variant: 'dense', kernel: 'fused', parameters: {} };

/** Items of which the last one alone is padded, its last six tokens. */
const items = [1, 2, 3, 4].map((seed): Item => {
  const feeds = bert.feeds({ batch: 1, length, seed });
  const kept = seed < 4 ? length : length - 6;
  const attentionMask = {
    type: 'int64' as const,
    dims: [1, length],
    data: BigInt64Array.from({ length }, (_, at) => (at < kept ? 1n : 0n)),
  };
  return { id: `item ${seed}`, length, feeds: { ...feeds, attention_mask: attentionMask } };
});

/** Sites as they would be had nothing shown their padding mask. */
function withoutMasks(sites: ModelSites): ModelSites {
  const swappable = [...sites.swappable].map(([number, { site, plan }]) => {
    const { mask: _unseen, ...rest } = plan;
    return [number, { site: { ...site, mask: 'none' as const }, plan: rest }] as const;
  });
  return { ...sites, sites: sites.sites.map((site) => ({ ...site, mask: 'none' })), swappable: new Map(swappable) };
}

describe('a padding mask that only the last item shows', () => {
  let file: OnnxFile;
  let right: ModelSites;
  let wrong: ModelSites;
  before(async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'attnswap-items-')), 'model.onnx');
    writeFileSync(path, bert.build({ seed: 1 }));
    file = await readOnnxFile(path);
    right = await findSites(file, runner);
    wrong = withoutMasks(right);
  });
  const replacements = new Map([0, 1].map((site) => [site, fused]));
  const swapped = (sites: ModelSites) => swapSites(sites, { adapter, replacements, seed: 1 });
  const exactness = { tolerance: 1e-5, exception: null };

  test('fails an exact candidate that drops it, with a task and without, and names the item', async () => {
    const settings = { seed: 1, qualityMargin: 0.02 };
    const outputs = new OriginalOutputs(() => openProto(right.proto, file, runner));
    const open = (sites: ModelSites) => () => openProto(swapped(sites), file, runner);
    const data = { evaluate: async () => [1, 1, 1, 1] };
    const migration = { settings, outputs, data } as unknown as Migration;
    for (const base of [null, [1, 1, 1, 1]]) {
      const { judgement } = await qualityOf(migration, open(wrong), { items, base, exactness });
      assert.deepEqual([judgement.outcome, judgement.marginsLost], ['regression', Infinity], judgement.reason);
      assert.match(judgement.reason, /at item item 4 of 4 items \(16 tokens\)/);
      const kept = await qualityOf(migration, open(right), { items, base, exactness });
      assert.equal(kept.judgement.outcome, 'pass', kept.judgement.reason);
      assert.match(kept.judgement.reason, /all 4 items \(16 tokens\)/);
    }
  });

  test('fails a swap on the user’s items', async () => {
    const on = (sites: ModelSites) => swapOnItems({ file, sites: right, runner, swapped: swapped(sites), replacements, seed: 1 }, items);
    const found = await on(wrong);
    assert.equal(found.judgement?.outcome, 'regression');
    assert.match(found.judgement.reason, /item 4/);
    assert.equal((await on(right)).judgement?.outcome, 'pass');
  });

  test('is missed in what was captured, and told', async () => {
    const faults = (sites: ModelSites) =>
      usingModel(openForCapture(sites, [...sites.swappable.values()], file, runner), async (model) => {
        const found = [];
        for (const { feeds } of items) found.push([...(await model.capture(feeds)).values()].map(captureFault));
        return found;
      });
    assert.deepEqual((await faults(right)).flat(), Array(8).fill(undefined));
    const found = await faults(wrong);
    assert.deepEqual(found.slice(0, 3).flat(), Array(6).fill(undefined));
    for (const fault of found[3]!) assert.match(fault ?? '', /^with no mask, softmax.* differs from its output by 0\.\d+ of its size/);
  });
});
