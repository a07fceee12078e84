import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MigrationReport } from '../migration/migrate.ts';
import type { MigrationSettings } from '../migration/migration.ts';
import type { Site } from '../model/sites/site.ts';
import { sampleMigration } from '../report/fixtures/sample-migration.ts';
import { sampleComparison } from '../verdict/fixtures/sample-verdict.ts';
import { migrationText } from './migration-text.ts';

// A record leaves drift out.
const drift = { state: 'fault', items: 0, reasons: [] };
const plain = sampleMigration({ tuned: null });
const record = { ...plain, candidates: plain.candidates!.map((each) => ({ ...each, quality: { ...each.quality!, drift } })) };
const sites = [0, 1].map((site) => ({ site, swappable: true }) as Site);
const context = { settings: record.settings as unknown as MigrationSettings, sites, metric: 'accuracy', folder: 'runs/model.migration' };
const textOf = (changes: Partial<Record<keyof MigrationReport, unknown>>) =>
  migrationText({ ...record, ...changes } as unknown as MigrationReport, context);

test('figures before and after agree with the change beside them, whatever the medians of the two sides say', () => {
  const effect = { estimate: 0.032, low: 0.01, high: 0.054, confidence: 0.965 };
  const comparison = sampleComparison({ base: 202e6, new: 199e6, effect });
  const final = { ...record.final!, latency: [{ length: 512, comparison }], memory: [{ length: 512, comparison }] };
  assert.match(textOf({ final }), /^512 +202 → 208 ms +\+3\.2 % \[\+1, \+5\]/m);
});

test('a bound that nothing is known of takes no room', () => {
  const effect = { estimate: 2.45, low: -1, high: 1.3e13, confidence: 0.965 };
  const comparison = sampleComparison({ base: 4096, new: 14132, effect });
  const final = { ...record.final!, latency: [{ length: 512, comparison }], memory: [{ length: 512, comparison }] };
  assert.match(textOf({ final }), /\+245\.0 % \[−100, over \+9999\]/);
});

test('reused figures are counted, with the times when they were measured', () => {
  const reusedIn = (reused: Record<string, string>) => migrationText(record as unknown as MigrationReport, { ...context, reused });
  const one = { 'baseline/latency/512': '2026-11-29T14:03:09.120Z' };
  assert.match(reusedIn(one), /^1 figure reused, measured on this host 2026-11-29 14:03 UTC \(--dir <new> --fresh reuses none\)$/m);
  const two = reusedIn({ 'baseline/memory/512': '2026-11-30T09:10:00.000Z', ...one });
  assert.match(two, /^2 figures reused, measured on this host 2026-11-29 14:03 to 2026-11-30 09:10 UTC\s+\(--dir/m);
  assert.doesNotMatch(reusedIn({}), /reused/);
});

test('a rejection says that the model stays as it is, and at which lengths candidates were timed', () => {
  const decision = {
    candidate: 'dense.fused',
    verdict: 'reject',
    reasons: ['No gain in latency or memory is shown at 512 tokens.'],
    decidedBy: [],
  };
  const candidates = record.candidates.map((candidate) => ({ ...candidate, decision }));
  const text = textOf({ candidates, final: null, verdict: 'reject' });
  assert.match(text, /^Verdict: keep the model as it is \(candidates were timed at 512 tokens\)$/m);
  assert.match(text, /^dense\.fused: keep the model as it is: No gain in latency or memory is shown at 512 tokens\.$/m);
  const untimed = candidates.map((candidate) => ({ ...candidate, latency: null, memory: null }));
  assert.match(textOf({ candidates: untimed, final: null, verdict: 'reject' }), /\(no candidate was timed\)$/m);
});

test('a tuning that saves nothing says so, and no figure of nothing', () => {
  const search = { evaluations: 1, stopped: 'converged', correlation: null, best: { assignment: [0, 0], saving: 0, loss: 0 }, front: [] };
  const tuned = {
    choices: ['original', 'dense.fused'],
    saving: [],
    untimed: [] as number[],
    budget: 0.01,
    shared: 0,
    search,
    mended: [],
    result: null,
  };
  const text = textOf({ tuned });
  assert.match(text, /^1 assignment measured \(converged\)/m);
  assert.match(text, /^best within the budget: the original \(by kernel times alone, nothing else saves anything\)$/m);
  assert.doesNotMatch(text, /saves 0/);
  const unknown = textOf({ tuned: { ...tuned, untimed: [0, 1] } });
  assert.match(unknown, /^best within the budget: the original\n *sites 0, 1 keep their own attention in phase 3: it cannot be timed/m);
  assert.match(unknown.replaceAll(/\n */g, ' '), /what others save is unknown; phase 2 measures them in the model/);
});

test('the waste of every site is told, however many there are', () => {
  const many = Array.from({ length: 24 }, (_, site) => ({ site, swappable: true }) as Site);
  const lengths = record.baseline.lengths.map((at) => ({ ...at, waste: many.map(({ site }) => ({ ...at.waste[0]!, site })) }));
  const report = { ...record, baseline: { ...record.baseline, lengths } } as unknown as MigrationReport;
  const text = migrationText(report, { ...context, sites: many });
  for (const length of [128, 512]) {
    const told = text.slice(text.indexOf(`waste at ${length} tokens by site:`));
    for (const { site } of many) assert.match(told, new RegExp(`[ :]${site}: \\d+ %`));
  }
  assert.ok(text.split('\n').every((line) => line.length <= 110));
});

test('training that did not stop early for want of held-out items says so, and no loss of a stage that was left out', () => {
  const result = { ...record.candidates[0]!, name: 'window recovered' };
  const figures = { parameters: 8, kept: 400, lostBefore: 2, lostBetween: null, lostAfter: 1, share: 0.5 };
  const settings = { ...context.settings, recover: { patience: 3 } } as MigrationSettings;
  const text = (heldOut: number) => {
    const recovered = [{ from: 'window', losses: { transfer: [], labels: [0.2] }, judged: [], heldOut, ...figures, result }];
    return migrationText({ ...record, recovered } as unknown as MigrationReport, { ...context, settings });
  };
  assert.match(text(0), /^window +8 +400 +– +2 → 1 +50 %$/m);
  assert.match(text(0), /^trained to the end, because the data has no items that are neither trained on nor judged$/m);
  assert.doesNotMatch(text(2), /trained to the end/);
});
