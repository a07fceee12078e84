import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildWindowed, within } from '../../../tests/models/windowed.ts';
import { inMemory, runner, subjectOf } from '../../../tests/subjects.ts';
import type { Adapter } from '../../contract/adapter.ts';
import { parseReplacements } from '../../migration/parse-replacements.ts';
import { compareWindows } from './compare-windows.ts';

test('sites that ask the same of a kernel are judged once', async () => {
  const { sites } = await subjectOf(inMemory('windowed', buildWindowed({ sees: within(1299, 0) })));
  const first = sites.swappable.get(0)!;
  const wider = { ...first.site, window: { left: 1399, right: 0 } };
  const numbered = [first.site, first.site, wider].map((site, number) => ({ ...first, site: { ...site, site: number } }));
  const replacement = parseReplacements(['window:w=1300'], [0], runner.adapter).get(0)!;
  let asked = 0;
  const adapter: Adapter = Object.create(runner.adapter, {
    kernelGraph: {
      value: (...request: Parameters<NonNullable<Adapter['kernelGraph']>>) => (asked++, runner.adapter.kernelGraph!(...request)),
    },
  });
  const judgements = await compareWindows(
    numbered.map((site) => [site, replacement] as const),
    { opset: 14, seed: 1 },
    { ...runner, adapter },
  );
  assert.equal(asked, 2);
  assert.deepEqual(
    [...judgements].map(([site, { ok }]) => [site, ok]),
    [
      [0, true],
      [1, true],
      [2, true],
    ],
  );
});
