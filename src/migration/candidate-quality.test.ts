import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Journal } from '../journal/journal.ts';
import { estimatePaired } from '../quality/paired.ts';
import { lostOf, qualitiesOf } from './candidate-quality.ts';
import type { Migration } from './migration.ts';
import { judge } from './quality-of.ts';
import { migrationSteps } from './steps.ts';

const lost = (marginsLost: number) => ({ judgement: { outcome: 'regression' as const, reason: '', marginsLost } });

test('what training brought back is told of the same parts before and after', () => {
  const hopeless = { quality: lost(9) };
  const after = { quality: lost(0.5), decode: { quality: lost(2) }, generation: lost(3) };
  assert.equal(lostOf(hopeless, hopeless), 9);
  assert.equal(lostOf(after, hopeless), 0.5, 'neither decoding nor generation was judged before');
  assert.equal(lostOf(after, { quality: lost(1), decode: { quality: lost(4) } }), 2);
  assert.equal(lostOf(after, after), 3);
  assert.equal(lostOf({ quality: lost(-1) }, hopeless), 0, 'a gain is no loss');
});

test('scores without a known range, of fewer than five items, have no interval: that is kept, read again, and means the same', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'quality-'));
  const rules = { kind: 'migration', steps: migrationSteps, compareHosts: () => ({ differing: [], unknown: [] }) } as const;
  const open = () => Journal.open(folder, { files: {}, settings: {}, host: 'h' }, rules);
  const task = estimatePaired({ base: [30, 31, 32], new: [30, 30, 32] }, { seed: 1 });
  const drift = {
    state: 'measured',
    confidence: 0.95,
    items: 3,
    outputs: [{ output: 'y', kind: 'vectors', relativeError: null, agreement: null }],
  };
  const judgement = judge(0.02, { drift: drift as never, task });
  assert.equal(judgement.outcome, 'inconclusive');
  await (await open()).step('candidate/a/quality', async () => ({ drift, task, judgement }));
  const migration = {
    ...{ state: await open(), cache: null, settings: {}, sites: { sites: [] } },
    items: new Map([['judging', Promise.resolve([])]]),
  } as unknown as Migration;
  const { quality } = await qualitiesOf(migration, { name: 'a', replacements: new Map() } as never, { scores: [30, 31, 32] } as never);
  assert.deepEqual(quality.task!.oneSided, { low: -Infinity, high: Infinity });
  assert.deepEqual([quality.task, quality.judgement.outcome], [task, 'inconclusive']);
});
