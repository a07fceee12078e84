import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as gqa from '../../tests/models/gqa-decoder.ts';
import { inMemory, runner, subjectOf } from '../../tests/subjects.ts';
import { AttnswapError } from '../contract/errors.ts';
import { findCache } from '../model/cache/find-cache.ts';
import { openProto } from '../model/file/open-proto.ts';
import { exactnessOf } from './exactness.ts';
import { generationOf, promptsOf } from './generation.ts';
import { GraphSubject } from './graph-subject.ts';
import type { Migration } from './migration.ts';
import { parseReplacements } from './parse-replacements.ts';

const file = inMemory('gqa', gqa.build());
const items = Array.from({ length: 6 }, (_, at) => ({ id: `${at}`, length: 24, feeds: gqa.prompt(24, at) }));

async function migration(generate: number): Promise<Migration> {
  const { sites } = await subjectOf(file);
  const cache = await findCache(sites, file, runner);
  const state = { step: async (_name: string, compute: () => Promise<unknown>) => compute() };
  const data = { items: async () => items, textOf: (ids: readonly number[]) => 'é'.repeat(ids.length) };
  const subject = new GraphSubject({ file, sites, runner, seed: 1, cache });
  return { sites, subject, cache, state, data, settings: { generate, seed: 1, qualityMargin: 0.02 } } as unknown as Migration;
}

test('an exact replacement generates the same tokens, with next to no divergence, and as many bits', async () => {
  const its = await migration(8);
  const replacements = parseReplacements(['dense.fused'], [...its.sites.swappable.keys()], runner.adapter);
  const open = () => its.subject.open({ name: 'fused', replacements });
  const { summary, judgement } = await generationOf(its, open, { items, exactness: exactnessOf(its.sites, { replacements }) });
  assert.equal(judgement.outcome, 'pass');
  assert.deepEqual([summary!.items, summary!.tokens, summary!.agreement.mean, summary!.forcedAgreement.mean], [6, 8, 1, 1]);
  assert.ok(summary!.firstDivergences.every(({ position }) => position === null));
  assert.equal(summary!.divergenceByPosition.length, 8);
  assert.ok(summary!.divergence.mean < 1e-9, `${summary!.divergence.mean}`);
  const { base } = summary!.bitsPerToken;
  assert.ok(base > 0 && Math.abs(summary!.bitsPerToken.difference) < 1e-5 * base);
  // Each token stands for two bytes here.
  assert.ok(Math.abs(summary!.bitsPerByte!.base - base / 2) < 1e-9);
});

test('attention that sees less diverges, and costs bits', async () => {
  const its = await migration(8);
  const replacements = parseReplacements(['window:w=1'], [...its.sites.swappable.keys()], runner.adapter);
  const open = () => its.subject.open({ name: 'window', replacements });
  const { summary } = await generationOf(its, open, { items, exactness: null });
  assert.ok(summary!.divergenceByPosition.every((value) => value > 1e-3));
  assert.ok(summary!.agreement.mean < 1);
  assert.ok(summary!.firstDivergences.some(({ position }) => position !== null));
});

for (const fault of gqa.faults.filter((each) => each !== 'present rounded')) {
  test(`a decoder with a fault shows it where its prefill does not: ${fault}`, async () => {
    const its = await migration(8);
    const wrong = inMemory('wrong', gqa.build({ fault }));
    const { summary } = await generationOf(its, () => openProto(wrong.proto, wrong, runner), {
      items,
      exactness: { tolerance: 1e-5, exception: null },
    });
    assert.ok(summary!.divergence.mean > 1e-3, `${summary!.divergence.mean}`);
    if (fault !== 'cache one off') assert.ok(summary!.divergenceByPosition[0]! < 1e-9, 'behind the prompt nothing was decoded yet');
  });
}

test('a candidate that a runtime refuses while it generates is faulty, and ends nothing else', async () => {
  const its = await migration(8);
  const refusal = async () => Promise.reject(new AttnswapError('UNSUPPORTED', 'IndexError: index out of range\nat …'));
  const open = async () => ({
    inputs: [],
    bind: () => ({ run: refusal, outputs: () => ({}) }),
    dispose: async () => undefined,
  });
  const { summary, judgement } = await generationOf(its, open, { items, exactness: null });
  assert.equal(summary, null);
  assert.deepEqual(judgement, {
    outcome: 'regression',
    reason: 'generation is faulty: item 0: IndexError: index out of range',
    marginsLost: Infinity,
  });
});

test('items without room for a prompt are refused', async () => {
  const its = await migration(24);
  assert.throws(() => promptsOf(its, items), { code: 'INVALID_DATA', message: /no item is longer than 24 tokens/ });
});
