import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import * as ort from '../processes/onnxruntime.ts';
import { adapter } from '../../adapters/onnx/with-graphs.ts';
import { replacementsAnywhere } from '../migration/parse-replacements.ts';
import { findSites } from '../model/sites/find-sites.ts';
import { swapSites } from '../model/swap/swap.ts';
import type { TokenBatch } from './answers.ts';
import { exportTestbed } from './export-onnx.ts';
import { referenceAnswers } from './reference-forward.ts';
import { exitsOf } from './testbed.ts';
import type { Testbed } from './testbed.ts';
import { parseVariant } from '../variants/index.ts';
import { errorBudget, exporting, relativeError } from './fixtures/exported-testbed.ts';
import { drawTokens, smallTestbed, stirredWeights } from './fixtures/small-testbed.ts';

const runner = { adapter, backend: 'onnx-cpu' };
const { fileOf, logitsOf } = exporting(runner);

/** Tokens of which every `step`-th position is asked, and the last one; 0 for none. */
function asking(testbed: Testbed, items: number, length: number, step: number): TokenBatch {
  const isAsked = (place: number) => step > 0 && (place % step === step - 1 || place === length - 1);
  return {
    ...drawTokens(testbed, items, length),
    targets: Int32Array.from({ length: items * length }, (_, at) => (isAsked(at % length) ? 0 : -1)),
  };
}

/** Exits at which some leave and some do not. */
const leavingSome: ReadonlyArray<Partial<Testbed>> = [
  { attention: ['dense', 'topk:k=5', 'window:w=8,globals=1'], exits: [0.35, 0.3] },
  { attention: ['gated:rank=2', 'hierarchical:local=4,region=8', 'dense'], position: 'rotary', exits: [0.3, null] },
  { attention: ['block-topk:block=4,blocks=3', 'dense', 'dense', 'dense'], position: 'alibi', exits: [null, 0.35, 0.3] },
  { attention: ['dense', 'dense', 'gated:block=4,sparsity=0.3'], norm: 'rms', normPlacement: 'after', exits: [0.3, 0.3] },
  { attention: ['linear', 'linear:rule=delta', 'dense'], exits: [0.3, 0.3] },
  { position: 'sinusoidal', causal: false, exits: [0.3] },
  { attention: ['dense', 'topk:k=5', 'window:w=8'], layerCost: 0.1, exits: [0.15, 0.12] },
  { attention: ['dense', 'dense', 'dense'], norm: 'rms', normPlacement: 'after', layerCost: 0.1, exits: [null, 0.15] },
  { exitBy: 'position', attention: ['dense', 'dense', 'dense'], position: 'rotary', layerCost: 0.1, exits: [0.2, 0.15] },
  { attention: ['topk:k=5', 'topk:k=5', 'topk:k=5'], sharedLayers: true, layerCost: 0.1, exits: [0.15, 0.12] },
  { exitBy: 'position', attention: ['dense', 'topk:k=5', 'dense', 'topk:k=3'], exits: [0.35, 0.32, 0.3] },
  { exitBy: 'position', attention: ['dense', 'dense', 'dense'], position: 'rotary', exits: [0.35, null] },
  { exitBy: 'position', attention: ['window:w=8', 'dense', 'dense'], position: 'alibi', exits: [null, 0.3] },
  { exitBy: 'position', attention: ['dense', 'topk:k=5', 'dense'], norm: 'rms', normPlacement: 'after', causal: false, exits: [0.3, 0.35] },
  { exitBy: 'position', attention: ['dense.naive', 'dense.tiled', 'topk:keep=0.3'], position: 'sinusoidal', exits: [0.35, 0.3] },
];

for (const changes of leavingSome)
  test(`the exported model gives the exited answers: ${JSON.stringify(changes)}`, async () => {
    const testbed = smallTestbed(changes);
    const batches = [1, 7, 33].flatMap((length) =>
      [1, 3, 16].flatMap((items) => [0, 1, 5, 33].map((step) => asking(testbed, items, length, step))),
    );
    const { depths, mixed } = await compare(testbed, batches);
    assert.deepEqual(
      depths,
      exitsOf(testbed).map(({ layers }) => layers),
      'an exit is not tried',
    );
    assert.ok(mixed, 'no batch of which sequences leave at different depths');
  });

for (const exitBy of ['sequence', 'position'] as const)
  test(`long sequences leave as short ones do: exits by ${exitBy}`, async () => {
    const testbed = smallTestbed({ length: 1000, attention: ['dense', 'dense', 'dense'], exitBy, exits: [0.35, 0.3] });
    await compare(testbed, [asking(testbed, 2, 513, 512), asking(testbed, 1, 1000, 333)]);
  });

/** Holds the exported model against the reference: the depths that were seen, and whether sequences of one batch had different ones. */
async function compare(testbed: Testbed, batches: readonly TokenBatch[]) {
  const weights = stirredWeights(testbed);
  const got = await logitsOf(testbed, fileOf(testbed), batches);
  const depths = new Set<number>();
  let mixed = false;
  for (const [at, batch] of batches.entries()) {
    const { logits, layers } = referenceAnswers(testbed, weights, batch);
    const error = relativeError(got[at]!, logits);
    assert.ok(error <= errorBudget(testbed, batch.length), `${batch.items} × ${batch.length}: ${error}`);
    for (const each of layers) depths.add(each);
    const deepest = Array.from({ length: batch.items }, (_, item) =>
      Math.max(...layers.subarray(item * batch.length).subarray(0, batch.length)),
    );
    mixed ||= new Set(deepest).size > 1;
  }
  return { depths: [...depths].toSorted((a, b) => a - b), mixed };
}

test('only who stays is computed: rows of each layer’s MLP in ONNX Runtime’s own profile', async () => {
  const ran = async (changes: Partial<Testbed>, step: number) => {
    const testbed = smallTestbed({ attention: ['dense', 'dense', 'dense'], ...changes });
    const batch = asking(testbed, 3, 20, step);
    const { layers } = referenceAnswers(testbed, stirredWeights(testbed), batch);
    return { layers, rows: await rowsRun(testbed, batch) };
  };
  assert.deepEqual((await ran({}, 1)).rows, [60, 60, 60]);
  assert.deepEqual((await ran({ exits: [0.01, 0.01] }, 1)).rows, [60]);
  assert.deepEqual((await ran({ exits: [0.999, 0.01] }, 1)).rows, [60, 60]);
  assert.deepEqual((await ran({ exits: [0.999, 0.999] }, 0)).rows, [60]);
  for (const exitBy of ['sequence', 'position'] as const) {
    const { layers, rows } = await ran({ exits: [0.3, 0.3], exitBy }, 20);
    /** Sequences whole, or as many positions of each as of the one with the most. */
    const left = (depth: number) => {
      const counts = [0, 1, 2].map((item) => layers.subarray(item * 20, (item + 1) * 20).filter((own) => own > depth).length);
      return exitBy === 'sequence' ? counts.reduce((sum, count) => sum + count) : 3 * Math.max(...counts);
    };
    assert.deepEqual(
      rows,
      [60, left(1), left(2)].filter((count) => count > 0),
    );
    assert.ok(rows.length > 1 && rows[1]! < 60, `nobody left, or all: ${rows.join(' ')}`);
  }
});

/** Positions that each layer's MLP was computed of, those that ran. */
async function rowsRun(testbed: Testbed, { items, length, tokens, targets }: TokenBatch): Promise<number[]> {
  const folder = mkdtempSync(join(tmpdir(), 'attnswap-export-'));
  try {
    // Unoptimised, so that every layer's MLP is a node of its own name.
    const options = { enableProfiling: true, profileFilePrefix: join(folder, 'run'), graphOptimizationLevel: 'disabled' } as const;
    const session = await ort.InferenceSession.create(exportTestbed(testbed, stirredWeights(testbed), { adapter }), options);
    const asked = new ort.Tensor(
      'bool',
      Uint8Array.from(targets!, (target) => Number(target !== -1)),
      [items, length],
    );
    const feeds = { tokens: new ort.Tensor('int64', BigInt64Array.from(tokens, BigInt), [items, length]), asked };
    await session.run(testbed.exits === undefined ? { tokens: feeds.tokens } : feeds);
    session.endProfiling();
    await session.release();
    const events = JSON.parse(readFileSync(join(folder, readdirSync(folder)[0]!), 'utf8')) as Array<{
      name: string;
      args?: { output_type_shape?: ReadonlyArray<Readonly<Record<string, readonly number[]>>> };
    }>;
    return events.flatMap(({ name, args }) => {
      if (!/^Gelu.*_kernel_time$/.test(name)) return [];
      const [batch = 0, rows = 0] = Object.values(args!.output_type_shape![0]!)[0]!;
      return [batch * rows];
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

for (const exitBy of ['sequence', 'position'] as const)
  test(`every attention behind exits by ${exitBy} is a site, and is swapped`, async () => {
    const testbed = smallTestbed({ attention: ['dense', 'dense', 'dense', 'dense'], exitBy, exits: [0.9, null, 0.9] });
    const file = fileOf(testbed, { dense: 'naive' });
    const found = await findSites(file, runner);
    assert.deepEqual(
      found.sites.map(({ swappable, reason }) => [swappable, reason]),
      testbed.attention.map(() => [true, undefined]),
    );
    // Drawn inputs ask everywhere, so that runs do not show that queries are picked: the graph does.
    assert.deepEqual(
      found.sites.map(({ someQueries = false, selfAttention }) => [someQueries, selfAttention]),
      testbed.attention.map((_, layer) => [exitBy === 'position' && layer > 0, exitBy === 'sequence' || layer === 0]),
    );
    const window = { ...parseVariant('window:w=8'), kernel: 'tiled' };
    const windowAt = (site: number) => swapSites(found, { adapter, seed: 1, replacements: new Map([[site, window]]) });
    if (exitBy === 'position')
      for (const site of [1, 2, 3])
        assert.throws(() => windowAt(site), {
          code: 'UNSUPPORTED',
          message: new RegExp(`^site ${site} .* cannot become window: its queries are some of the positions`),
        });
    else windowAt(3);
    // As for cross-attention, a window is given to the other sites.
    const anywhere = replacementsAnywhere(['window:w=8'], found.sites, adapter);
    assert.deepEqual([...anywhere.keys()], exitBy === 'position' ? [0] : [0, 1, 2, 3]);
    // Those of the exits themselves tell how sure they are.
    assert.deepEqual(
      found.unknown.map(({ reason }) => reason),
      exitsOf(testbed)
        .slice(1)
        .map(() => 'its softmax is not attention: no matrix product weighs computed values with it'),
    );
    const replacements = new Map(
      testbed.attention.map((_, site) => [site, { variant: 'topk', kernel: 'tiled', parameters: { k: 5 } }] as const),
    );
    const swapped = swapSites(found, { adapter, seed: 1, replacements });
    const batch = asking(testbed, 2, 33, 5);
    const [got] = await logitsOf(testbed, file, [batch], swapped);
    const same = { ...testbed, attention: testbed.attention.map(() => 'topk:k=5') };
    const error = relativeError(got!, referenceAnswers(same, stirredWeights(testbed), batch).logits);
    assert.ok(error <= errorBudget(testbed, 33), `${error}`);
  });
