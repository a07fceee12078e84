import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { findSites } from '../src/model/sites/find-sites.ts';
import type { ModelSites } from '../src/model/sites/find-sites.ts';
import { namesIn } from '../src/model/graph/splice.ts';
import { GraphIndex } from '../src/model/graph/graph-index.ts';
import { maskAncestors } from '../src/model/sites/mask-sources.ts';
import type { Site } from '../src/model/sites/site.ts';
import { edgeModels } from './models/edge-cases.ts';
import type { EdgeSite } from './models/edge-cases.ts';
import { buildUnseen, unseenCauses } from './models/unseen-causes.ts';
import { models } from './models/index.ts';
import type { TestModel } from './models/index.ts';
import { detector, encoder, inMemory, realSubject, recogniser, runner } from './subjects.ts';

const found = (name: string, bytes: Uint8Array): Promise<ModelSites> => findSites(inMemory(name, bytes), runner);

function told({ sites }: ModelSites): EdgeSite[] {
  return sites.map(({ heads, kvHeads, headDim, mask, causal, swappable }) => ({ heads, kvHeads, headDim, mask, causal, swappable }));
}

/** What holds of every report, whatever the model. */
function assertSound({ proto, sites, swappable, unknown }: ModelSites): void {
  const names = namesIn(proto.graph!);
  for (const { site, node, swappable: can, reason } of sites) {
    assert.ok(names.has(node), `site ${site} names ${node}`);
    assert.equal(can, reason === undefined, `site ${site} says why exactly where it cannot be swapped`);
    assert.equal(swappable.has(site), can);
  }
  for (const { node, reason } of unknown) assert.ok(node !== '' && reason !== '');
}

describe('every exporter’s idiom', () => {
  for (const [name, model] of Object.entries<TestModel>(models)) {
    test(`the sites of ${name} are those that it was written with, and nothing else is`, async () => {
      const sites = await found(name, model.build());
      assert.deepEqual(told(sites), model.expected.sites);
      assert.deepEqual(
        sites.unknown.map(({ node }) => node),
        model.expected.unknown ?? [],
      );
      for (const { reason } of sites.unknown) assert.match(reason, /^its softmax is not attention: /);
      assertSound(sites);
    });
  }
});

describe('what short runs do not show refuses the site, or is handed over as a bias', () => {
  for (const [name, cause] of Object.entries(unseenCauses)) {
    test(name, async () => {
      const { sites } = await found(name, buildUnseen(cause));
      const [{ mask, causal, swappable, reason = '' }] = sites as [Site];
      assert.equal(swappable, cause.reason === undefined);
      if (cause.reason === undefined) assert.deepEqual([mask, causal], ['bias', null]);
      else assert.match(reason, cause.reason);
    });
  }
});

describe('edges', () => {
  for (const [name, { build, sites: expected, reason }] of Object.entries(edgeModels)) {
    test(name, async () => {
      const sites = await found(name, build());
      assert.deepEqual(told(sites), expected);
      if (reason !== undefined) assert.match(sites.sites[0]?.reason ?? '', reason);
      assert.deepEqual(sites.unknown, []);
      assertSound(sites);
    });
  }

  test('each of two masks is found for the site that reads it', async () => {
    const { proto, swappable } = await found('two masks', edgeModels['two masks']!.build());
    const index = new GraphIndex(proto.graph!);
    const origins = [...swappable.values()].map(({ plan }) => maskAncestors(index, [plan.mask!.tensor]).at(-1));
    assert.deepEqual(origins, ['attention_mask', 'encoder_attention_mask']);
  });

  test('attention to another sequence is not taken for attention to its own', async () => {
    const { sites } = await found('cross-attention', models['cross-attention'].build());
    assert.deepEqual(
      sites.map(({ selfAttention }) => selfAttention),
      [true, false, true, false],
    );
  });

  test('what is fixed is not told as dynamic', async () => {
    const dynamic = async (name: string) => (await found(name, edgeModels[name]!.build())).sites[0]!.dynamic;
    assert.deepEqual(await dynamic('fixed sizes'), []);
    assert.deepEqual(await dynamic('batch fixed at 1'), ['queries', 'keys']);
    for (const name of ['two masks', 'sizes without names']) assert.deepEqual(await dynamic(name), ['batch', 'queries', 'keys']);
  });
});

describe('real models', () => {
  test('PP-OCRv4’s recogniser has two sites', async () => {
    const { sites } = await realSubject(recogniser);
    const site = { heads: 8, kvHeads: 8, headDim: 15, mask: 'none', causal: false, swappable: true } as const;
    assert.deepEqual(told(sites), [site, site]);
    assertSound(sites);
  });

  test('PP-OCRv4’s detector has none', async () => {
    const { sites, unknown } = (await realSubject(detector)).sites;
    assert.deepEqual([sites, unknown], [[], []]);
  });

  test('paraphrase-MiniLM-L3 has three', { skip: encoder.missing }, async () => {
    const { sites } = await realSubject(encoder);
    const site = { heads: 12, kvHeads: 12, headDim: 32, mask: 'padding', causal: false, swappable: true } as const;
    assert.deepEqual(told(sites), [site, site, site]);
    assertSound(sites);
  });
});
