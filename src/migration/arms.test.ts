import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { adapters } from '../../adapters/index.ts';
import { Reused } from '../journal/figures.ts';
import { compareModels } from './arms.ts';
import { measureBaseline } from './baseline-phase.ts';
import { finalName } from './course.ts';
import type { Migration } from './migration.ts';

const item = { id: 'a', length: 4, feeds: { x: { type: 'float32', dims: [1], data: Float32Array.of(1) } } };
const measuredAt = '2026-01-02T03:04:05.000Z';

/** A migration without a model whose figures all come from earlier runs, as `kept` says by what is asked. */
function migrationOf(kept: (of: { readonly metric: string }) => unknown, measure = false) {
  const folder = mkdtempSync(join(tmpdir(), 'arms-'));
  const reused: Record<string, string> = {};
  const migration = {
    file: { path: join(folder, 'none.onnx'), sha256: 'sha' },
    settings: { backend: 'onnx-cpu', threads: null, seed: 1, margin: 0.05, lengths: [4], compareAt: 4 },
    state: {
      folder,
      reused,
      step: async (step: string, compute: () => Promise<unknown>) => {
        const found = await compute();
        if (!(found instanceof Reused)) return found;
        reused[step] = found.measuredAt;
        return found.value;
      },
    },
    figures: {
      measured: async ({ of }: { of: { metric: string } }) => (measure ? kept(of) : new Reused(kept(of), measuredAt)),
    },
    ...{ entry: adapters[0], sites: {}, subject: {}, data: {}, cache: null },
    items: new Map([['judging', Promise.resolve([item])]]),
    peaks: new Map<string, Map<number, unknown>>(),
    progress: () => undefined,
  };
  return migration as unknown as Migration;
}

test('a candidate’s comparison may be reused, and the last one never is', async () => {
  const kept = { outcome: 'pass' };
  const asked: string[] = [];
  const migration = migrationOf(({ metric }) => {
    asked.push(metric);
    return kept;
  });
  const model = join(migration.state.folder, 'other.onnx');
  const at = { model, length: 4, use: 'prefill', plan: { looks: [2], tail: 0.0175 } } as const;
  for (const metric of ['latency', 'peak-memory'] as const) {
    assert.equal(await compareModels(migration, metric, { ...at, name: 'dense.fused' }), kept);
    const { outcome } = await compareModels(migration, metric, { ...at, name: finalName('dense.fused') });
    assert.ok(['error', 'incomplete'].includes(outcome), `it was launched, and there is no such model: ${outcome}`);
  }
  assert.deepEqual(asked, ['latency', 'peak-memory']);
});

test('a peak is shared with the comparisons only where it was measured in the same run', async () => {
  const kept = { latency: { medianNs: 1, lowNs: 1, highNs: 1 }, 'peak-memory': { bytes: 5 }, waste: [] };
  const of = ({ metric }: { readonly metric: string }) => kept[metric as keyof typeof kept];
  for (const [measures, sizes] of [
    [false, []],
    [true, [[0, { bytes: 5 }]]],
  ] as const) {
    const migration = migrationOf(of, measures);
    assert.equal((await measureBaseline(migration)).lengths[0]!.peakHostBytes, 5);
    assert.deepEqual([...(migration.peaks.get('4') ?? [])], sizes);
  }
});
