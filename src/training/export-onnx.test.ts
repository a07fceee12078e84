import assert from 'node:assert/strict';
import test from 'node:test';
import { adapter } from '../../adapters/onnx/with-graphs.ts';
import { AttnswapError } from '../contract/errors.ts';
import { findSites } from '../model/sites/find-sites.ts';
import { proveUnchanged } from '../model/swap/prove.ts';
import { swapSites } from '../model/swap/swap.ts';
import { parseVariant } from '../variants/index.ts';
import { exportTestbed } from './export-onnx.ts';
import { referenceForward } from './reference-forward.ts';
import { positionEncodings, sitesOf } from './testbed.ts';
import { errorBudget, exporting, relativeError } from './fixtures/exported-testbed.ts';
import { fuse } from './tasks/fuse.ts';
import { drawTokens, smallTestbed, stirredWeights, translating } from './fixtures/small-testbed.ts';

const runner = { adapter, backend: 'onnx-cpu' };
const { fileOf, logitsOf } = exporting(runner);

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

/** Of one length alone. */
const onGrids = [
  smallTestbed({ attention: ['grid-window:grid=4x8,w=3,globals=1', 'grid-window:grid=2x4x4,w=2x3x1,globals=1'], causal: false }),
  smallTestbed({ attention: ['grid-window:grid=4x8,w=2x5,globals=1', 'dense'], position: 'axial', norm: 'rms' }),
];

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

const shared = [
  smallTestbed({ attention: ['gated:rank=2', 'gated:rank=2', 'gated:rank=2'], sharedLayers: true, position: 'rotary', norm: 'rms' }),
  smallTestbed({ attention: ['topk:k=5', 'topk:k=5'], sharedLayers: true, position: 'alibi', normPlacement: 'after' }),
];

for (const testbed of [...cases, ...onGrids, ...recurrent, ...translated, ...shared]) {
  const { attention, position, norm, normPlacement, causal, encoder, sharedLayers } = testbed;
  const from = encoder === undefined ? '' : `, from ${encoder.attention.join()} across ${encoder.cross.join(' then ')}`;
  const kind = `${attention.join(' then ')}${from}, ${position}, ${norm} ${normPlacement}${causal ? ', causal' : ''}${sharedLayers === true ? ', shared layers' : ''}`;
  test(`the exported model gives the reference's logits: ${kind}`, async (context) => {
    const weights = stirredWeights(testbed);
    const lengths = onGrids.includes(testbed) ? [33] : [1, 7, 33];
    const batches = lengths.flatMap((length) => [1, 3].map((items) => drawTokens(testbed, items, length)));
    const got = await logitsOf(testbed, fileOf(testbed), batches);
    const errors = batches.map((batch, at) => relativeError(got[at]!, referenceForward(testbed, weights, batch)));
    context.diagnostic(`relative errors ${errors.map((error) => error.toExponential(1)).join(' ')}`);
    batches.forEach(({ items, length, source }, at) => {
      const budget = errorBudget(testbed, source?.length ?? length);
      assert.ok(errors[at]! <= budget, `${items} × ${length}: ${errors[at]} > ${budget}`);
    });
  });
}

for (const position of positionEncodings)
  test(`every attention of a testbed with ${position} positions is found, swapped for itself, and for a window`, async () => {
    const testbed = smallTestbed({ position, length: 64, attention: ['dense', 'dense', 'dense'] });
    const file = fileOf(testbed, { dense: 'naive' });
    const sites = await findSites(file, runner);
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
      const [got] = await logitsOf(testbed, file, [batch], swapped);
      const error = relativeError(got!, referenceForward(same, stirredWeights(testbed), batch));
      assert.ok(error <= errorBudget(testbed, 40), `${variant}: ${error}`);
    }
  });

test('a grid is put where every run has its tokens, fails at any other length, and is refused where tokens vary', async () => {
  const testbed = smallTestbed({ causal: false });
  const file = fileOf(testbed, { dense: 'naive' });
  const text = 'grid-window:grid=4x8,w=3,globals=1';
  const replacements = new Map([0, 1].map((site) => [site, { ...parseVariant(text), kernel: 'tiled' }] as const));
  const given = { batch: 2, length: 33 };
  const swapped = swapSites(await findSites(file, runner, given), { adapter, seed: 1, replacements });
  const batch = drawTokens(testbed, 2, 33);
  const [got] = await logitsOf(testbed, file, [batch], swapped);
  const expected = referenceForward({ ...testbed, attention: [text, text] }, stirredWeights(testbed), batch);
  assert.ok(relativeError(got!, expected) <= errorBudget(testbed, 33));
  await assert.rejects(logitsOf(testbed, file, [drawTokens(testbed, 2, 32)], swapped), /Reshape/);
  const varied = await findSites(file, runner);
  assert.throws(() => swapSites(varied, { adapter, seed: 1, replacements }), {
    code: 'UNSUPPORTED',
    message: /site 0 .* cannot become grid-window\.tiled:.*: the number of its tokens changes from run to run, expected 33/,
    hint: /--dim length=33/,
  });
});

for (const kernels of [{ dense: 'naive' }, undefined])
  test(`attention of an encoder, of its decoder and across is found and swapped, exported as ${kernels?.dense ?? 'the default'}`, async () => {
    const testbed = translating({
      position: 'rotary',
      length: 56,
      encoder: { length: 64, attention: ['dense'], cross: ['dense', 'dense'] },
    });
    const file = fileOf(testbed, kernels);
    const sites = await findSites(file, runner);
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
    const [got] = await logitsOf(testbed, file, [batch], swapped);
    const error = relativeError(got!, referenceForward(same, stirredWeights(testbed), batch));
    assert.ok(error <= errorBudget(testbed, 47), `${error}`);
  });

for (const cross of ['dense', 'topk:k=8', 'window:w=20', 'gated:rank=2', 'hierarchical:local=4,region=8'])
  test(`an exported model that reads pictures gives the reference’s logits: ${cross} across`, async () => {
    const { vocabulary, classes, length, sourceLength, items } = fuse({ side: 4, colors: 8, patterns: 16, questions: 8, streams: 2 });
    const encoder = { length: sourceLength!, attention: ['dense'], cross: [cross, cross] };
    const testbed = translating({ vocabulary, classes, length, encoder });
    const batch = await items('test', 3, 1);
    const [got] = await logitsOf(testbed, fileOf(testbed), [batch]);
    const error = relativeError(got!, referenceForward(testbed, stirredWeights(testbed), batch));
    assert.ok(error <= errorBudget(testbed, sourceLength!), `${error}`);
  });

test('an exported translator is read position by position at its full length, whatever stands later, as trainers decode', async () => {
  const length = 7;
  const attention = ['window:w=4', 'topk:k=3'];
  const testbed = translating({ attention, length, encoder: { length: 14, attention: ['dense'], cross: ['window:w=4', 'dense'] } });
  const { vocabulary, classes } = testbed;
  const file = fileOf(testbed);
  const batch = drawTokens(testbed, 1, length);
  const tokens = Int32Array.from(batch.tokens);
  const answers: number[] = [];
  for (let at = 0; at < length; at++) {
    // What stands later is another token each time.
    for (let later = at + 1; later < length; later++) tokens[later] = (5 * at + later) % vocabulary;
    const [logits] = await logitsOf(testbed, file, [{ ...batch, tokens }]);
    const row = logits!.subarray(at * classes, (at + 1) * classes);
    answers.push(row.indexOf(Math.max(...row)));
    if (at + 1 < length) tokens[at + 1] = vocabulary - classes + answers[at]!;
  }
  const whole = referenceForward(testbed, stirredWeights(testbed), { ...batch, tokens });
  for (const [at, answer] of answers.entries()) {
    const row = whole.subarray(at * classes, (at + 1) * classes);
    assert.ok(row[answer]! >= Math.max(...row) - 1e-4, `class ${answer} at ${at}, logits ${row.join(' ')}`);
  }
  assert.ok(new Set(answers).size > 1, answers.join(' '));
});

test('an export with the adapter’s own kernels is swapped too, and what hung on the old attention goes', async () => {
  const testbed = smallTestbed({ position: 'rotary', length: 64 });
  const file = fileOf(testbed);
  const sites = await findSites(file, runner);
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
  const [got] = await logitsOf(testbed, file, [batch], swapped);
  const error = relativeError(got!, referenceForward({ ...testbed, attention: ['topk:k=5', 'topk:k=5'] }, stirredWeights(testbed), batch));
  assert.ok(error <= errorBudget(testbed, 40), `${error}`);
});

test('a model without causality is found as such', async () => {
  const { sites } = await findSites(fileOf(smallTestbed({ causal: false }), { dense: 'naive' }), runner);
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
