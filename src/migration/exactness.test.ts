import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ModelSites } from '../model/sites/find-sites.ts';
import type { Site } from '../model/sites/site.ts';
import type { Replacement } from '../model/swap/swap.ts';
import { parseVariant } from '../variants/index.ts';
import { exactnessOf } from './exactness.ts';

function exactness(site: Partial<Site>, variant: string, more: Partial<Replacement> = {}) {
  const sites = { proto: { graph: { node: [] } }, sites: [{ dtype: 'f32', ...site }] } as unknown as ModelSites;
  const replacements = new Map([[0, { kernel: 'tiled', ...parseVariant(variant), ...more }]]);
  return exactnessOf(sites, { replacements });
}

const isExact = (site: Partial<Site>, variant: string): boolean => exactness(site, variant) !== null;

test('a swap is exact where the new attention sees every key that the site’s mask lets through', () => {
  const causal: Partial<Site> = { mask: 'none', causal: true };
  for (const site of [causal, { mask: 'padding', causal: false }, { mask: 'bias', causal: null }] as const) {
    assert.ok(isExact(site, 'dense'));
    assert.ok(!isExact(site, 'window:w=9000'));
    assert.ok(!isExact(site, 'topk:k=9000'));
  }
  const last: Partial<Site> = { mask: 'window', causal: true, window: { left: 63, right: 0 } };
  const around: Partial<Site> = { mask: 'window', causal: false, window: { left: 5, right: 2 } };
  assert.deepEqual(
    ['dense', 'window:w=63', 'window:w=64', 'window:w=64,globals=3', 'window:w=65', 'topk:k=64'].map((text) => isExact(last, text)),
    [true, false, true, true, true, false],
  );
  assert.deepEqual(
    ['window:w=4', 'window:w=9', 'window:w=10'].map((text) => isExact(around, text)),
    [false, false, true],
  );
});

test('another temperature is no exact swap, and a window may leave queries without keys', () => {
  const site: Partial<Site> = { mask: 'window', causal: true, window: { left: 63, right: 0 } };
  assert.equal(exactness(site, 'window:w=64', { scaleFactor: 1.1 }), null);
  assert.deepEqual(exactness(site, 'window:w=64'), { tolerance: 1e-5, exception: 'blind-rows' });
});
