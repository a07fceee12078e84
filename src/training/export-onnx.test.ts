import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import * as ort from '../processes/onnxruntime.ts';
import { adapter } from '../../adapters/onnx/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import { findSites } from '../model/sites/find-sites.ts';
import { parseModel } from '../model/file/onnx-file.ts';
import type { OnnxFile } from '../model/file/onnx-file.ts';
import { proveUnchanged } from '../model/swap/prove.ts';
import { swapSites } from '../model/swap/swap.ts';
import { openProto, usingModel } from '../model/file/open-proto.ts';
import { exportTestbed } from './export-onnx.ts';
import { referenceAnswers, referenceForward } from './reference-forward.ts';
import type { TokenBatch } from './reference-forward.ts';
import { exitsOf, positionEncodings, sitesOf } from './testbed.ts';
import type { Testbed } from './testbed.ts';
import { feedsOf } from './capture-testbed.ts';
import { drawTokens, smallTestbed, stirredWeights, translating } from './fixtures/small-testbed.ts';

const backend = 'onnx-cpu';

function fileOf(testbed: Testbed, kernels?: Record<string, string>): OnnxFile {
  const bytes = exportTestbed(testbed, stirredWeights(testbed), { adapter, ...(kernels !== undefined && { kernels }) });
  return { path: 'testbed.onnx', proto: parseModel(Uint8Array.from(bytes), 'testbed.onnx'), sha256: '', externalFiles: [] };
}

async function logitsOf(file: OnnxFile, batches: readonly TokenBatch[], proto = file.proto): Promise<Float32Array[]> {
  return await usingModel(openProto(proto, file, { adapter, backend }), async (model) => {
    const all: Float32Array[] = [];
    for (const batch of batches) {
      const bound = model.bind(feedsOf(batch));
      await bound.run();
      all.push(Float32Array.from(bound.outputs()['logits']!.data as Float32Array));
    }
    return all;
  });
}

function relativeError(actual: ArrayLike<number>, expected: Float64Array): number {
  assert.equal(actual.length, expected.length);
  let difference = 0;
  let size = 0;
  for (const [at, value] of expected.entries()) {
    difference += (actual[at]! - value) ** 2;
    size += value ** 2;
  }
  return Math.sqrt(difference / size);
}

/**
 * Errors of single roundings are independent and add in root mean square, so that a sum of t products costs √t of them (Higham and Mary 2019),
 * and all sums on the way from token to logit √Σt. What norms and softmax add, partial sums that are smaller than the whole give back.
 */
function errorBudget(testbed: Testbed, length: number): number {
  const { width, heads, hidden, attention, encoder } = testbed;
  const each = 4 * width + width / heads + length;
  const layers = attention.length + (encoder?.attention.length ?? 0);
  return 2 ** -24 * Math.sqrt(sitesOf(testbed).length * each + layers * hidden + width);
}

const attentions = [
  'dense',
  'topk:k=5',
  'window:w=8,globals=1',
  'gated:rank=2',
  'gated:form=output,rank=2',
  'gated:block=4,sparsity=0.3',
  'hierarchical:local=4,region=8',
];
const variants = [...attentions, 'block-topk:block=4,blocks=3'];
/** Every variant meets every position once; norms, placements and causality take turns. */
const cases = variants.flatMap((variant, v) =>
  positionEncodings.map((position, p) =>
    smallTestbed({
      attention: [variant, variants[(v + p + 1) % variants.length]!],
      position,
      norm: (v + p) % 2 === 0 ? 'layer' : 'rms',
      normPlacement: (v + Math.floor(p / 2)) % 2 === 0 ? 'before' : 'after',
      causal: position === 'alibi' || (v + p) % 3 !== 0,
    }),
  ),
);

/** What keeps a state has no logits that ALiBi could be added to, and the delta rules are causal alone. */
const recurrent = [
  smallTestbed({ attention: ['linear', 'linear:rule=gated'], position: 'rotary' }),
  smallTestbed({ attention: ['linear:rule=delta', 'linear:rule=gated-delta'], position: 'sinusoidal', norm: 'rms' }),
  smallTestbed({ attention: ['linear:rule=gated', 'linear'], position: 'learned', causal: false }),
];

/** Every variant that a decoder can pay its encoder, and every variant in the encoder. */
const across = [
  'dense',
  'topk:k=5',
  'window:w=8,globals=1',
  'gated:rank=2',
  'gated:form=output,rank=2',
  'hierarchical:local=4,region=8',
  'linear',
];
const translated = variants.map((variant, v) => {
  const position = (['learned', 'sinusoidal', 'rotary', 'none'] as const)[v % 4]!;
  const cross = [across[v % across.length]!, across[(v + 3) % across.length]!];
  return translating({
    attention: [variants[(v + 2) % variants.length]!, 'dense'],
    encoder: { length: 40, attention: [variant], cross },
    position,
    norm: v % 2 === 0 ? 'layer' : 'rms',
    normPlacement: v % 3 === 0 ? 'after' : 'before',
  });
});

for (const testbed of [...cases, ...recurrent, ...translated]) {
  const { attention, position, norm, normPlacement, causal, encoder } = testbed;
  const from = encoder === undefined ? '' : `, from ${encoder.attention.join()} across ${encoder.cross.join(' then ')}`;
  const kind = `${attention.join(' then ')}${from}, ${position}, ${norm} ${normPlacement}${causal ? ', causal' : ''}`;
  test(`the exported model gives the reference's logits: ${kind}`, async (context) => {
    const weights = stirredWeights(testbed);
    const batches = [1, 7, 33].flatMap((length) => [1, 3].map((items) => drawTokens(testbed, items, length)));
    const got = await logitsOf(fileOf(testbed), batches);
    const errors = batches.map((batch, at) => relativeError(got[at]!, referenceForward(testbed, weights, batch)));
    context.diagnostic(`relative errors ${errors.map((error) => error.toExponential(1)).join(' ')}`);
    batches.forEach(({ items, length, source }, at) => {
      const budget = errorBudget(testbed, source?.length ?? length);
      assert.ok(errors[at]! <= budget, `${items} × ${length}: ${errors[at]} > ${budget}`);
    });
  });
}

/** Exits at which some positions leave and some do not, in every variant's layers. */
const withExits = [
  smallTestbed({ attention: ['dense', 'topk:k=5', 'window:w=8,globals=1'], exits: [0.35, 0.3] }),
  smallTestbed({ attention: ['gated:rank=2', 'hierarchical:local=4,region=8', 'dense'], position: 'rotary', exits: [0.3, null] }),
  smallTestbed({ attention: ['block-topk:block=4,blocks=3', 'dense', 'dense', 'dense'], position: 'alibi', exits: [null, 0.35, 0.3] }),
  smallTestbed({ attention: ['dense', 'dense', 'gated:block=4,sparsity=0.3'], norm: 'rms', normPlacement: 'after', exits: [0.3, 0.3] }),
  smallTestbed({ position: 'sinusoidal', causal: false, exits: [0.3] }),
];

for (const testbed of withExits)
  test(`the exported model gives the exited answers: ${testbed.attention.join(' then ')}, exits ${JSON.stringify(testbed.exits)}`, async () => {
    const weights = stirredWeights(testbed);
    const batches = [1, 7, 33].flatMap((length) => [1, 3].map((items) => drawTokens(testbed, items, length)));
    const got = await logitsOf(fileOf(testbed), batches);
    const depths = new Set<number>();
    batches.forEach((batch, at) => {
      const { logits, layers } = referenceAnswers(testbed, weights, batch);
      const error = relativeError(got[at]!, logits);
      assert.ok(error <= errorBudget(testbed, batch.length), `${batch.items} × ${batch.length}: ${error}`);
      for (const each of layers) depths.add(each);
    });
    assert.equal(depths.size, exitsOf(testbed).length, `an exit is not tried: only ${[...depths].join(' ')}`);
  });

test('layers that no position of the batch needs are not run; one position that is left runs them for all', async () => {
  const attention = ['dense', 'dense', 'dense'];
  const batch = drawTokens(smallTestbed(), 2, 20);
  const ran = async (exits: Testbed['exits']) => {
    const testbed = smallTestbed({ attention, exits });
    const { layers } = referenceAnswers(testbed, stirredWeights(testbed), batch);
    return { deepest: Math.max(...layers), layers: (await nodesRun(testbed, batch)).filter((name) => name.startsWith('Gelu')).length };
  };
  assert.deepEqual(await ran(undefined), { deepest: 3, layers: 3 });
  assert.deepEqual(await ran([0.01, 0.01]), { deepest: 1, layers: 1 });
  assert.deepEqual(await ran([1, 0.01]), { deepest: 2, layers: 2 });
  assert.deepEqual(await ran([0.3, 0.3]), { deepest: 3, layers: 3 });
});

/** Names of the nodes that ONNX Runtime's profile says ran, branches' too. */
async function nodesRun(testbed: Testbed, { items, length, tokens }: TokenBatch): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'attnswap-export-'));
  try {
    // Unoptimised, so that every layer's MLP is a node of its own name.
    const options = { enableProfiling: true, profileFilePrefix: join(folder, 'run'), graphOptimizationLevel: 'disabled' } as const;
    const session = await ort.InferenceSession.create(exportTestbed(testbed, stirredWeights(testbed), { adapter }), options);
    await session.run({ tokens: new ort.Tensor('int64', BigInt64Array.from(tokens, BigInt), [items, length]) });
    session.endProfiling();
    await session.release();
    const events = JSON.parse(readFileSync(join(folder, readdirSync(folder)[0]!), 'utf8')) as Array<{ name: string }>;
    return events.flatMap(({ name }) => (name.endsWith('_kernel_time') ? [name] : []));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('as many exits as branches can nest are exported, one more is refused', async () => {
  const deep = (exits: number) =>
    smallTestbed({ attention: Array.from({ length: exits + 1 }, () => 'topk:k=5'), exits: new Array(exits).fill(1) });
  const batch = drawTokens(deep(14), 1, 5);
  const [got] = await logitsOf(fileOf(deep(14)), [batch]);
  assert.ok(relativeError(got!, referenceForward(deep(14), stirredWeights(deep(14)), batch)) <= errorBudget(deep(14), 5));
  assert.throws(() => fileOf(deep(15)), { code: 'UNSUPPORTED', message: /at most 14 exits.*got 15/ });
});

test('attention behind an exit is a site', async () => {
  const { sites, unknown } = await findSites(fileOf(smallTestbed({ exits: [0.5] }), { dense: 'naive' }), { adapter, backend });
  // That of the exit itself tells how sure it is.
  assert.deepEqual(
    unknown.map(({ reason }) => reason),
    ['its softmax is not attention: no matrix product weighs computed values with it'],
  );
  assert.deepEqual(
    sites.map(({ swappable }) => swappable),
    [true, true],
  );
});

for (const position of positionEncodings)
  test(`every attention of a testbed with ${position} positions is found, swapped for itself, and for a window`, async () => {
    const testbed = smallTestbed({ position, length: 64, attention: ['dense', 'dense', 'dense'] });
    const file = fileOf(testbed, { dense: 'naive' });
    const sites = await findSites(file, { adapter, backend });
    assert.deepEqual(sites.unknown, []);
    const facts = sites.sites.map(({ swappable, causal, heads, mask, reason }) => ({ swappable, causal, heads, mask, reason }));
    assert.deepEqual(
      facts,
      Array.from({ length: 3 }, () => ({ swappable: true, causal: true, heads: 4, mask: 'none', reason: undefined })),
    );
    for (const [variant, kernel, parameters] of [
      ['dense', 'naive', {}],
      ['window', 'tiled', { w: 8, globals: 0 }],
    ] as const) {
      const replacements = new Map([0, 1, 2].map((site) => [site, { variant, kernel, parameters }] as const));
      const swapped = swapSites(sites, { adapter, seed: 1, replacements });
      const batch = drawTokens(testbed, 2, 40);
      const text = variant === 'dense' ? 'dense' : 'window:w=8';
      const same = { ...testbed, attention: [text, text, text] };
      const [got] = await logitsOf(file, [batch], swapped);
      const error = relativeError(got!, referenceForward(same, stirredWeights(testbed), batch));
      assert.ok(error <= errorBudget(testbed, 40), `${variant}: ${error}`);
    }
  });

for (const kernels of [{ dense: 'naive' }, undefined])
  test(`attention of an encoder, of its decoder and across is found and swapped, exported as ${kernels?.dense ?? 'the default'}`, async () => {
    const testbed = translating({
      position: 'rotary',
      length: 56,
      encoder: { length: 64, attention: ['dense'], cross: ['dense', 'dense'] },
    });
    const file = fileOf(testbed, kernels);
    const sites = await findSites(file, { adapter, backend });
    assert.deepEqual(sites.unknown, []);
    assert.deepEqual(
      sites.sites.map(({ swappable, causal, crossAttention, reason }) => [swappable, causal, crossAttention, reason]),
      sitesOf(testbed).map(({ kind }) => [true, kind === 'self', kind === 'cross' ? true : undefined, undefined]),
    );
    const replacements = new Map(
      [0, 1, 2, 3, 4].map((site) => [site, { variant: 'topk', kernel: 'tiled', parameters: { k: 5 } }] as const),
    );
    const swapped = swapSites(sites, { adapter, seed: 1, replacements });
    const batch = drawTokens(testbed, 2, 40);
    const all = (count: number) => Array.from({ length: count }, () => 'topk:k=5');
    const same = { ...testbed, attention: all(2), encoder: { length: 64, attention: all(1), cross: all(2) } };
    const [got] = await logitsOf(file, [batch], swapped);
    const error = relativeError(got!, referenceForward(same, stirredWeights(testbed), batch));
    assert.ok(error <= errorBudget(testbed, 47), `${error}`);
  });

test('an export with the adapter’s own kernels is swapped too, and what hung on the old attention goes', async () => {
  const testbed = smallTestbed({ position: 'rotary', length: 64 });
  const file = fileOf(testbed);
  const sites = await findSites(file, { adapter, backend });
  assert.deepEqual(
    sites.sites.map(({ swappable, causal, reason }) => [swappable, causal, reason]),
    [
      [true, true, undefined],
      [true, true, undefined],
    ],
  );
  const replacements = new Map([0, 1].map((site) => [site, { variant: 'topk', kernel: 'tiled', parameters: { k: 5 } }] as const));
  const swapped = swapSites(sites, { adapter, seed: 1, replacements });
  proveUnchanged(file.proto, swapped);
  // Its lengths and positions go with it, and so does what was computed from those for nobody.
  const left = swapped.graph!.node.filter(({ output }) => output[0]!.startsWith('layers.')).map(({ opType }) => opType);
  for (const opType of ['GroupQueryAttention', 'Expand', 'Cast', 'Sub']) assert.ok(!left.includes(opType), opType);
  const batch = drawTokens(testbed, 2, 40);
  const [got] = await logitsOf(file, [batch], swapped);
  const error = relativeError(got!, referenceForward({ ...testbed, attention: ['topk:k=5', 'topk:k=5'] }, stirredWeights(testbed), batch));
  assert.ok(error <= errorBudget(testbed, 40), `${error}`);
});

test('a model without causality is found as such', async () => {
  const { sites } = await findSites(fileOf(smallTestbed({ causal: false }), { dense: 'naive' }), { adapter, backend });
  assert.deepEqual(
    sites.map(({ causal, swappable }) => [causal, swappable]),
    [
      [false, true],
      [false, true],
    ],
  );
});

test('a kernel is the one that the testbed names, then the one chosen, then the default', () => {
  const operators = (attention: string, kernels?: Record<string, string>) =>
    new Set(fileOf(smallTestbed({ attention: [attention] }), kernels).proto.graph!.node.map(({ opType }) => opType));
  assert.ok(operators('dense').has('GroupQueryAttention'));
  assert.ok(operators('dense', { dense: 'naive' }).has('Softmax'));
  assert.ok(operators('dense.naive', { dense: 'fused' }).has('Softmax'));
});

test('weights are initializers under the names of their parameters', () => {
  const testbed = smallTestbed({ attention: ['gated'] });
  const names = new Set(fileOf(testbed).proto.graph!.initializer.map(({ name }) => name));
  for (const name of stirredWeights(testbed).keys()) assert.ok(names.has(name), name);
});

test('an export without the kernel, or with weights of another testbed, is refused', () => {
  const testbed = smallTestbed();
  const weights = stirredWeights(testbed);
  const code = (wanted: string) => (error: unknown) => error instanceof AttnswapError && error.code === wanted;
  assert.throws(() => exportTestbed(testbed, weights, { adapter, kernels: { dense: 'none' } }), code('UNSUPPORTED'));
  assert.throws(() => exportTestbed(testbed, weights, { adapter: { ...adapter, kernels: [] } }), code('UNSUPPORTED'));
  assert.throws(() => exportTestbed(smallTestbed({ width: 16 }), weights, { adapter }), code('INVALID_INPUTS'));
});
