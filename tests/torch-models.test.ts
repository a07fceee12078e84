import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, describe, test } from 'node:test';
import { execa } from 'execa';
import { adapter, workerFolder } from '../adapters/torch/adapter.ts';
import type { AttnswapError } from '../src/contract/errors.ts';
import { writeTensors } from '../src/data/tensor-files.ts';
import { readCapturedInputs } from '../src/inputs/captured.ts';
import { tensorOf } from '../src/inputs/model-inputs.ts';
import type { DimensionSizes } from '../src/inputs/model-inputs.ts';
import { exactnessOf } from '../src/migration/exactness.ts';
import { parseReplacements } from '../src/migration/parse-replacements.ts';
import { usableHostedCache } from '../src/migration/usable-cache.ts';
import { cacheSizeOf, call } from '../src/model/cache/drive.ts';
import { requireCacheOf } from '../src/model/cache/require-cache.ts';
import { compareHosted, compareHostedSites, placedAt } from '../src/model/hosted/compare-hosted.ts';
import { findHostedSites, swappableOf } from '../src/model/hosted/find-hosted-sites.ts';
import type { HostedModel } from '../src/model/hosted/find-hosted-sites.ts';
import { proveHosted } from '../src/model/hosted/prove-hosted.ts';
import { doneSchema, helloSchema, workerProtocol } from '../src/protocol/messages.ts';
import { openModelOnWorker } from '../src/protocol/worker-model.ts';
import { startWorker } from '../src/protocol/worker-process.ts';
import type { WorkerProcess } from '../src/protocol/worker-process.ts';
import { attnswap, emptyFolder } from './run-cli.ts';
import { python, skip } from './transformers-installed.ts';

const fixture = (name: string) => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));
const folder = emptyFolder();
const item = {
  id: '0',
  length: 12,
  feeds: {
    input_ids: tensorOf('int64', [1, 12], [7, 2, 9, 40, 3, 61, 5, 18, 33, 71, 12, 90]),
    attention_mask: tensorOf('int64', [1, 12], Array<number>(12).fill(1)),
  },
};
const replacementsOf = ({ sites }: HostedModel, variant: string) => parseReplacements([variant], swappableOf(sites), adapter);

/** Runs the lines with which a folder that was written says that its model is opened. */
const fromReadme = `import re, sys, torch
sys.path.insert(0, '.')
exec(re.search('\`\`\`python\\n(.*?)\`\`\`', open('README.md', encoding='utf-8').read(), re.S)[1])`;

/** Sites of each kind: [self-attention of encoders, causal, cross-attention]. */
const architectures = {
  bert: [2, 0, 0],
  distilbert: [2, 0, 0],
  gpt2: [0, 2, 0],
  llama: [0, 2, 0],
  qwen3: [0, 2, 0],
  vit: [2, 0, 0],
  marian: [2, 2, 2],
  whisper: [2, 2, 2],
  // A bias on the logits, of positions or of whatever the mask says.
  t5: [2, 2, 2],
  swin: [3, 0, 0],
  // Windows.
  mistral: [0, 2, 0],
  gemma3: [0, 2, 0],
  modernbert: [2, 0, 0],
  // Values narrower than keys.
  deepseek: [0, 2, 0],
  // Inputs that are neither token ids nor images whose size the configuration says; parts that ask for another attention.
  segformer: [1, 0, 1],
  detr: [4, 0, 2],
  wav2vec2: [2, 0, 0],
  clip: [2, 2, 0],
  // Calls the operator itself, not through the interface.
  falcon: [0, 2, 0],
  // A bias hides keys, and all keys of queries that are padding.
  'falcon-alibi': [2, 0, 0],
} as const;
/** Whose inputs have one size. */
const fixedSizes: readonly string[] = ['vit', 'whisper', 'swin', 'segformer', 'detr', 'wav2vec2'];
const sharedHeads: Readonly<Record<string, number>> = { llama: 2, qwen3: 2, mistral: 2, gemma3: 2, falcon: 1 };

describe('models of transformers', { skip }, () => {
  let worker: WorkerProcess;
  before(async () => {
    await execa(python!, [fixture('tiny-models.py'), folder]);
    worker = startWorker({ command: [python!, '-B', fixture('faulty-worker.py'), workerFolder] });
    await worker.ask('hello', { protocol: workerProtocol }, helloSchema);
  });
  after(() => worker?.close());
  const fault = (name: string) => worker.ask('fault', { name }, doneSchema);

  async function found(name: string, path = join(folder, name), sizes: DimensionSizes = {}): Promise<HostedModel> {
    const opened = await openModelOnWorker(worker, { backend: 'torch-cpu', model: path, threads: 1 });
    assert.ok(!('unsupported' in opened), name);
    return findHostedSites(path, { ...opened, attention: opened.attention! }, sizes);
  }

  for (const [name, [encoder, causal, cross]] of Object.entries(architectures))
    test(`${name}: every attention is a site, and an exact swap keeps the outputs, padded or not`, async () => {
      const hosted = await found(name);
      const { sites } = hosted;
      assert.deepEqual(
        sites.flatMap(({ reason }) => reason ?? []),
        [],
      );
      assert.deepEqual(hosted.unknown, []);
      const count = (wanted: (site: (typeof sites)[number]) => boolean) => sites.filter(wanted).length;
      assert.deepEqual(
        [
          count(({ causal: is, selfAttention }) => is !== true && selfAttention === true),
          count(({ causal: is }) => is === true),
          count(({ selfAttention }) => selfAttention === false),
        ],
        [encoder, causal, cross],
      );
      for (const { heads, kvHeads } of sites) assert.deepEqual([heads, kvHeads], [4, sharedHeads[name] ?? 4]);
      for (const variant of ['dense.naive', 'dense.fused', 'dense.tiled']) {
        const replacements = replacementsOf(hosted, variant);
        const { largest, runs } = await compareHosted(hosted, replacements);
        assert.ok(largest <= 1e-5, `${variant}: ${largest}`);
        assert.ok(runs.length >= 3 || fixedSizes.includes(name));
        for (const { site, reason } of await compareHostedSites(hosted, replacements))
          assert.equal(reason, undefined, `${variant} ${site}`);
      }
      await proveHosted(hosted);
    });

  test('every variant computes in a model what it is defined to, and changes the outputs where it sees less', async () => {
    for (const name of ['bert', 'llama', 'marian']) {
      const hosted = await found(name);
      // Positions of two sequences are not compared: cross-attention is for variants that need none.
      const own = hosted.sites.filter(({ selfAttention }) => selfAttention === true).map(({ site }) => site);
      for (const variant of ['topk:k=4', 'window:w=6', 'block-topk:block=8,blocks=2', 'hierarchical', 'linear']) {
        const replacements = parseReplacements([variant], own, adapter);
        const { largest } = await compareHosted(hosted, replacements);
        assert.ok(largest > 1e-4, `${name} ${variant}: ${largest}`);
        assert.equal(exactnessOf({ sites: hosted.sites }, { replacements }), null);
        for (const { site, reason } of await compareHostedSites(hosted, replacements))
          assert.equal(reason, undefined, `${name} ${variant} ${site}`);
      }
    }
  });

  test('windows over a grid compute in a vision transformer what they are defined to, and are refused where tokens are others', async () => {
    const vit = await found('vit');
    const replacements = replacementsOf(vit, 'grid-window:grid=4x4,w=3,globals=1');
    const { largest } = await compareHosted(vit, replacements);
    assert.ok(largest > 1e-4, `${largest}`);
    for (const { site, reason } of await compareHostedSites(vit, replacements)) assert.equal(reason, undefined, `${site}`);
    const whole = replacementsOf(vit, 'grid-window:grid=4x4,w=4,globals=1');
    assert.ok((await compareHosted(vit, whole)).largest <= exactnessOf({ sites: vit.sites }, { replacements: whole })!.tolerance);
    const refusal = async (hosted: HostedModel, variant: string) =>
      compareHosted(hosted, replacementsOf(hosted, variant)).then(
        () => assert.fail(variant),
        ({ message, hint }: AttnswapError) => `${message}: ${hint}`,
      );
    assert.match(
      await refusal(vit, 'grid-window:grid=4x4,w=3'),
      /site 0 \(.*\) cannot become .*: it has 17 tokens in every run, expected 16: 17 = 1 \+ 16: write globals=1/,
    );
    assert.match(
      await refusal(await found('bert'), 'grid-window:grid=4x4,w=3'),
      /changes from run to run, expected 16: fix the length with --dim, for example --dim sequence=16/,
    );
  });

  test('a cache that the worker cannot set is refused by name, and a model without one says nothing', async () => {
    for (const [name, reason] of [
      ['mistral', /DynamicSlidingWindowLayer/],
      ['marian', /encoder-decoder/],
      ['bert', /^null$/],
    ] as const) {
      const { model } = await found(name);
      assert.ok(model.inputs.every(({ optional }) => optional !== true));
      assert.match(String(model.attention.undecoded), reason);
    }
  });

  test('a cache in half precision is found and kept, and its size is what the model stores', async () => {
    for (const [name, elements] of [
      ['llama-bf16', 2 * 2 * 2 * 8],
      ['gpt2-f16', 2 * 2 * 4 * 8],
    ] as const) {
      const hosted = await found(name);
      const used = await usableHostedCache(hosted, {}, async () => item);
      assert.ok(used.cache !== null, name);
      const { bytes, bytesPerToken } = cacheSizeOf(used.cache, await call(hosted.model, item.feeds));
      assert.deepEqual([bytes, bytesPerToken], [12 * elements * 2, elements * 2], name);
      const replacements = replacementsOf(hosted, 'dense.naive');
      const { largest, runs } = await compareHosted(hosted, replacements);
      assert.ok(largest <= exactnessOf({ sites: hosted.sites }, { replacements })!.tolerance, `${name}: ${largest}`);
      assert.deepEqual(
        runs.flatMap(({ length, past, style }) => (past === undefined ? [] : [[style, length, past]])),
        [
          ['whole', 3, 9],
          ['left', 1, 11],
          ['left', 1, 32],
        ],
      );
      await requireCacheOf(hosted.model, used.cache);
    }
  });

  test('a size of a dimension that the model lacks is refused by name, and how much is cached cannot be set', async () => {
    for (const [name, dimension, expected] of [
      ['bert', 'sequense', 'batch, sequence'],
      ['llama', 'past', 'batch, sequence'],
    ] as const)
      await assert.rejects(found(name, join(folder, name), { [dimension]: 8 }), {
        code: 'USAGE',
        message: `--dim ${dimension}: no input of ${join(folder, name)} has this dynamic dimension, expected ${expected}`,
      });
  });

  test('a decoder whose sizes are the user’s own is measured whole, with the reason', async () => {
    const dims = { named: "['n', 't']", fixed: '[1, 16]' };
    const functions = Object.entries(dims).map(
      ([name, sizes]) => `def ${name}():
    mask = {'type': 'int64', 'dims': ${sizes}}
    return LlamaForCausalLM.from_pretrained(${JSON.stringify(join(folder, 'llama'))}), {'input_ids': {**mask, 'below': 99}, 'attention_mask': mask}
`,
    );
    writeFileSync(join(folder, 'mine.py'), `from transformers import LlamaForCausalLM\n${functions.join('')}`);
    for (const name of Object.keys(dims)) {
      const hosted = await found(name, `${join(folder, 'mine.py')}:${name}`);
      assert.equal(swappableOf(hosted.sites).length, 2);
      assert.match(hosted.model.attention.undecoded!, /input_ids must be declared with the dimensions \['batch', 'sequence'\]/);
    }
    const hosted = await found('llama', undefined, { sequence: 32 });
    assert.deepEqual([swappableOf(hosted.sites).length, hosted.sites[0]!.provenLength], [2, 32]);
    const used = await usableHostedCache(hosted, { sequence: 32 }, async () => item);
    assert.deepEqual(used, { cache: null, reason: '--dim sequence fixes the tokens of a call, so it is measured on whole sequences' });
  });

  test('other attention at some sites leaves the others as they were', async () => {
    const hosted = await found('bert');
    const both = await compareHosted(hosted, replacementsOf(hosted, 'window:w=4'));
    const one = await compareHosted(hosted, parseReplacements(['1=window:w=4'], [], adapter));
    const none = await compareHosted(hosted, new Map());
    assert.ok(one.largest > 0 && both.largest !== one.largest);
    assert.equal(none.largest, 0);
  });

  for (const [name, models] of Object.entries({
    'no mask': ['bert', 'gpt2'],
    'no causality': ['gpt2', 'llama'],
    'no scale': ['bert', 'llama'],
    'other heads': ['llama', 'qwen3'],
    // Shows behind a cache alone.
    'first keys': ['gpt2', 'llama'],
    'no window': ['mistral'],
    'no bias': ['swin'],
    'no twin': ['bert', 'llama'],
  }))
    test(`a swap with a fault is caught: ${name}`, async () => {
      for (const model of models) {
        await fault('none');
        const hosted = await found(model);
        await fault(name);
        for (const variant of ['dense.naive', 'dense.fused']) {
          const replacements = replacementsOf(hosted, variant);
          const { largest } = await compareHosted(hosted, replacements);
          assert.ok(largest > exactnessOf({ sites: hosted.sites }, { replacements })!.tolerance, `${model} ${variant}: ${largest}`);
          const wrong = (await compareHostedSites(hosted, replacements)).filter(({ reason }) => reason !== undefined);
          // Without the twin the mask is lost before the site: the outputs alone show that.
          if (name !== 'no twin') assert.equal(wrong.length, hosted.sites.length, `${model} ${variant}`);
        }
        await fault('none');
      }
    });

  test('a model that gives other outputs when it is looked into is not believed', async () => {
    await fault('no twin');
    await assert.rejects(found('bert'), /its outputs change when its attention is observed \(right, 12 tokens\)/);
    await fault('none');
  });

  test('windows, biases and unlike widths are told, and what does not take them is refused by name', async () => {
    const refusal = async (hosted: HostedModel, variant: string) =>
      compareHosted(hosted, parseReplacements([variant], [0], adapter)).then(
        () => assert.fail(variant),
        ({ code, message }: AttnswapError) => `${code}: ${message}`,
      );
    const t5 = await found('t5');
    assert.deepEqual(
      t5.sites.map(({ mask, scale, causal }) => [mask, scale, causal]),
      [false, false, true, false, true, false].map((causal) => ['bias', 1, causal]),
    );
    const told =
      /^UNSUPPORTED: encoder\.block\.0\..* has a bias on its logits, which window\.tiled does not support: expected one of dense/;
    assert.match(await refusal(t5, 'window:w=4'), told);
    const gemma = await found('gemma3');
    assert.deepEqual(
      gemma.sites.map(({ mask, window }) => [mask, window]),
      [
        ['window', { left: 7, right: 0 }],
        ['padding', undefined],
      ],
    );
    assert.match(await refusal(gemma, 'hierarchical'), /has a window of its own, which hierarchical\.batched does not support/);
    assert.match(await refusal(gemma, 'window:w=4,globals=1'), /has a window of its own, which hides global keys/);
    const { sites: modernbert } = await found('modernbert');
    assert.deepEqual(
      modernbert.flatMap(({ window }) => window ?? []),
      [{ left: 4, right: 4 }],
    );
    const { sites: deepseek } = await found('deepseek');
    assert.deepEqual(
      deepseek.map(({ headDim, widths }) => [headDim, widths]),
      [0, 1].map(() => [12, { keys: 12, values: 8 }]),
    );
  });

  test('linear attention whose map makes zeros to ones is refused where queries and keys would get zeros', async () => {
    const script = `
import sys
sys.path.insert(0, ${JSON.stringify(workerFolder)})
import torch
from attnswap_torch.models.placed import Placed
from attnswap_torch.unsupported import Unsupported
torch.manual_seed(1)
def given(parameters):
    return {'variant': 'linear', 'kernel': 'chunked', 'parameters': {'rule': 'linear', **parameters}}
def attend(keys, values, parameters):
    query, key, value = (torch.randn(1, 2, 7, width) for width in (keys, keys, values))
    try:
        return query, key, value, Placed(given(parameters), 'layer.0').attend(query, key, value, 1.0, None, False)
    except Unsupported as reason:
        print(reason)
attend(4, 16, {})
maps = {'elu': lambda x: torch.nn.functional.elu(x) + 1, 'relu': torch.relu}
for keys, values, name in ((16, 4, 'elu'), (8, 8, 'elu'), (4, 16, 'relu')):
    query, key, value, output = attend(keys, values, {'map': name})
    weights = maps[name](query.double()) @ maps[name](key.double()).transpose(-1, -2)
    # A query of no weight at all gives zeros.
    expected = (weights @ value.double() / weights.sum(-1, keepdim=True)).nan_to_num()
    print(tuple(output.shape), bool((output - expected).norm() <= 1e-5 * expected.norm()))
`;
    assert.equal(
      (await execa(python!, ['-B', '-c', script])).stdout,
      [
        'layer.0 cannot become linear.chunked: its queries and keys (width 4) would get zeros up to the width of its values (16), and map=elu makes each of them 1: expected map=relu',
        ...['(1, 2, 7, 4) True', '(1, 2, 7, 8) True', '(1, 2, 7, 16) True'],
      ].join('\n'),
    );
  });

  test('a wider window changes nothing, a narrower one what it cuts off', async () => {
    for (const name of ['gemma3', 'modernbert']) {
      const hosted = await found(name);
      const windowed = hosted.sites.filter(({ window }) => window !== undefined).map(({ site }) => site);
      for (const [w, changes] of [
        [8, false],
        [64, false],
        [4, true],
      ] as const) {
        const replacements = parseReplacements([`window:w=${w}`], windowed, adapter);
        const { largest } = await compareHosted(hosted, replacements);
        assert.ok(changes ? largest > 1e-3 : largest <= 1e-5, `${name} ${w}: ${largest}`);
        for (const { reason } of await compareHostedSites(hosted, replacements)) assert.equal(reason, undefined);
      }
    }
  });

  test('whatever a model does to its mask is done to the whole mask', async () => {
    const script = `
import sys
sys.path.insert(0, ${JSON.stringify(workerFolder)})
import torch
from attnswap_torch.models import masks
whole = torch.ones(5, 5).tril().bool()[None, None]
made = []
mask = masks.compact(masks.Told(None, True, None, lambda: made.append(1) or whole), 'cpu')
print(mask.device, mask.requires_grad, mask.attnswap.causal, made)
print(torch.equal(mask[..., :3], whole[..., :3]), torch.equal(mask & ~mask, whole & ~whole), torch.equal(torch.where(mask, 0.0, 1.0), (~whole).float()))
print(tuple(mask.shape), mask.dtype, hasattr(mask & mask, 'attnswap'), made)
`;
    assert.equal(
      (await execa(python!, ['-B', '-c', script])).stdout,
      ['cpu False True []', 'True True True', '(1, 1, 5, 5) torch.bool False [1]'].join('\n'),
    );
  });

  test('windows of transformers are told by how they were made, and nothing else is taken for one', async () => {
    const script = `
import sys
sys.path.insert(0, ${JSON.stringify(workerFolder)})
from transformers import masking_utils as known
from attnswap_torch.models.masks import window_of
causal, both = known.causal_mask_function, known.bidirectional_mask_function
overlay, wide = known.sliding_window_overlay(8), known.sliding_window_bidirectional_overlay(8)
print(window_of(known.sliding_window_causal_mask_function(8)), window_of(known.sliding_window_bidirectional_mask_function(8)))
others = [
    causal, both, overlay, known.and_masks(overlay, both), known.and_masks(wide, causal), known.and_masks(causal, overlay), known.and_masks(overlay),
    known.or_masks(overlay, causal), known.and_masks(overlay, causal, causal), known.and_masks(known.sliding_window_causal_mask_function(8), causal),
    lambda *places: True,
]
print([window_of(each) for each in others].count(None) == len(others))
`;
    assert.equal((await execa(python!, ['-B', '-c', script])).stdout, '(7, 0) (8, 8)\nTrue');
  });

  test('eager attention is the function that a module hands to the interface, whatever it is called', async () => {
    const script = `
import sys
sys.path.insert(0, ${JSON.stringify(workerFolder)})
from transformers.models.bert.modeling_bert import BertSelfAttention
from transformers.models.llama4.modeling_llama4 import Llama4TextAttention, Llama4VisionAttention
from attnswap_torch.models.interface import eager_attention
class Derived(BertSelfAttention):
    pass
print(*(eager_attention(cls).__name__ for cls in (BertSelfAttention, Derived, Llama4TextAttention, Llama4VisionAttention)))
`;
    const names = 'eager_attention_forward '.repeat(3);
    assert.equal((await execa(python!, ['-B', '-c', script])).stdout, `${names}vision_eager_attention_forward`);
  });

  test('a model without attention is told plainly', async () => {
    await assert.rejects(found('mamba'), { code: 'UNSUPPORTED', message: /MambaForCausalLM: it has no attention/ });
  });

  test('a module of the user’s own that calls the operator is found, swapped and proven like any other', async () => {
    const hosted = await found('own', `${fixture('own_model.py')}:build`);
    assert.deepEqual(
      hosted.sites.map(({ node, causal, mask, swappable }) => [node, causal, mask, swappable]),
      ['layers.0', 'layers.1'].map((node) => [node, true, 'padding', true]),
    );
    const replacements = replacementsOf(hosted, 'dense.naive');
    const { largest } = await compareHosted(hosted, replacements);
    assert.ok(largest > 0 && largest <= 1e-5, `${largest}`);
    for (const { reason } of await compareHostedSites(hosted, replacements)) assert.equal(reason, undefined);
    await proveHosted(hosted);
    await assert.rejects(found('written', `${fixture('own_model.py')}:written`), {
      code: 'UNSUPPORTED',
      message: /own_model\.py:25: softmax of \[/,
    });
  });

  test('a module of the user’s own that decodes without a mask has the windows of its whole calls', async () => {
    const feeds = { tokens: tensorOf('int64', [2, 9], [...Array(18).keys()]) };
    const states: Float32Array[] = [];
    for (const name of ['whole', 'decoding']) {
      const hosted = await found(name, `${fixture('decoding_model.py')}:${name}`);
      assert.deepEqual(
        hosted.sites.map(({ node, causal, selfAttention, reason }) => [node, causal, selfAttention, reason]),
        ['layers.0', 'layers.1'].map((node) => [node, true, true, undefined]),
      );
      for (const variant of ['dense.tiled', 'window:w=4']) {
        const replacements = replacementsOf(hosted, variant);
        for (const { reason } of await compareHostedSites(hosted, replacements)) assert.equal(reason, undefined);
        await hosted.model.attention.swap(placedAt(hosted, replacements));
        const bound = hosted.model.bind(feeds);
        await bound.run();
        states.push(bound.outputs()['output']!.data as Float32Array);
      }
    }
    const [dense, windowed, ...decoded] = states as [Float32Array, Float32Array, Float32Array, Float32Array];
    const apart = (one: Float32Array, other: Float32Array) => Math.max(...one.map((value, at) => Math.abs(value - other[at]!)));
    assert.ok(apart(dense, windowed) > 1e-2);
    assert.deepEqual([apart(dense, decoded[0]) < 1e-5, apart(windowed, decoded[1]) < 1e-5], [true, true]);
  });

  test('nn.MultiheadAttention is a site in PyTorch’s own layers and in the user’s modules, padded, causal and across', async () => {
    const hosted = await found('multihead', `${fixture('own_model.py')}:multihead`);
    assert.deepEqual(
      hosted.sites.map(({ node, causal, mask, selfAttention, reason }) => [node, causal, mask, selfAttention, reason]),
      [
        ['encoder.layers.0.self_attn', false, 'padding', true, undefined],
        ['encoder.layers.1.self_attn', false, 'padding', true, undefined],
        ['causal', true, 'none', true, undefined],
        ['across', false, 'padding', false, undefined],
      ],
    );
    assert.deepEqual(hosted.unknown, []);
    for (const [variant, exact] of [
      ['dense.naive', true],
      ['dense.fused', true],
      ['topk:k=4', false],
    ] as const) {
      const replacements = replacementsOf(hosted, variant);
      const { largest } = await compareHosted(hosted, replacements);
      assert.ok(exact ? largest > 0 && largest <= 1e-5 : largest > 1e-4, `${variant}: ${largest}`);
      for (const { site, reason } of await compareHostedSites(hosted, replacements)) assert.equal(reason, undefined, `${variant} ${site}`);
    }
    const last = await compareHosted(hosted, parseReplacements(['3=topk:k=2'], [], adapter));
    assert.ok(last.largest > 1e-4);
    await proveHosted(hosted);
    assert.equal((await compareHosted(hosted, new Map())).largest, 0);

    const placed = Object.fromEntries(hosted.sites.map(({ node }) => [node, { variant: 'topk', kernel: 'tiled', parameters: { k: 2 } }]));
    await hosted.model.attention.save(join(folder, 'multihead'), { placed, source: hosted.path, version: '0' });
    const { stdout } = await execa(
      python!,
      [
        '-c',
        `${fromReadme}
tokens = torch.arange(24).view(2, 12)
keep = torch.ones_like(tokens)
with torch.no_grad():
    plain, other = multihead()[0].eval()(tokens, keep), model(tokens, keep)
assert 'attnswap_torch' not in sys.modules
print(float((plain - other).norm() / plain.norm()))
`,
      ],
      { cwd: join(folder, 'multihead') },
    );
    assert.ok(Number(stdout) > 1e-4, stdout);
  });

  test('a module that reads attention weights, or attends by itself, is refused with file and line', async () => {
    await assert.rejects(found('reading', `${fixture('own_model.py')}:reading`), {
      code: 'UNSUPPORTED',
      message: /own_model\.py:\d+: reads the attention weights of across/,
    });
    const { unknown } = await found('beside', `${fixture('own_model.py')}:beside`);
    assert.match(unknown[0]!.node, /own_model\.py:\d+$/);
  });

  test('weights that other attention does not give are refused however they are read', async () => {
    const script = `
import sys
sys.path.insert(0, ${JSON.stringify(workerFolder)})
import torch
from attnswap_torch.models.plain import no_weights
from attnswap_torch.unsupported import Unsupported
w = no_weights('across')
reads = (
    'w.mean(1)', 'w.shape', 'w[0]', 'len(w)', 'list(w)', 'bool(w)', 'float(w)', 'w * 2', '2 - w', 'w + w', '-w', 'w > 0.5', 'w == w', 'w @ w',
    'torch.stack([w, w])', 'torch.mean(input=w)', 'torch.ones(1) + w', 'torch.where(torch.tensor(True), w, 0)',
)
for each in reads:
    try:
        print(each, eval(each))
    except Unsupported as reason:
        assert str(reason).endswith('<string>:1: reads the attention weights of across, which other attention does not return'), reason
{w, (w, None)}
`;
    assert.equal((await execa(python!, ['-B', '-c', script])).stdout, '');
  });

  test('outputs are compared by their numbers, without rows that are none; a kernel is built once, but for each token that is decoded', async () => {
    const script = `
import sys
sys.path.insert(0, ${JSON.stringify(workerFolder)})
import torch
from attnswap_torch.models import placed
from attnswap_torch.models.answers import close
one = torch.tensor([[100, 1e-3], [float('nan'), float('inf')]])
print(close(one, one + 5e-4), close(one, one + 5e-2), close(one, one.nan_to_num()), close(torch.ones(0), torch.ones(0)), close(one, one[:1]))

built, build = [], placed.build
placed.build = lambda *given: built.append(1) or build(*given)
one = placed.Placed({'variant': 'dense', 'kernel': 'naive', 'parameters': {}})
for queries in (1, 9):
    for _ in range(3):
        one.attend(torch.ones(1, 2, queries, 8), torch.ones(1, 2, 9, 8), torch.ones(1, 2, 9, 8), 1.0, None, True)
    print(len(built))
`;
    assert.equal((await execa(python!, ['-B', '-c', script])).stdout, 'True False False True False\n3\n4');
  });

  test('attention that goes past the interface is refused, with where it is', async () => {
    await assert.rejects(found('deberta'), {
      code: 'UNSUPPORTED',
      message: /DebertaV2Model: .*modeling_deberta_v2\.py:\d+: softmax of \[\d, 4, \d+, \d+\]: does not go through the attention interface/,
    });
  });
});

describe('the command line on a folder of transformers', { skip }, () => {
  before(async () => {
    await execa(python!, [fixture('tiny-models.py'), folder, 'bert']);
  });

  test('sites, swap, and the swapped model in plain transformers', async () => {
    const sites = await attnswap(['sites', 'bert'], { cwd: folder });
    assert.equal(sites.exitCode, 0, sites.stderr);
    assert.match(sites.stdout, /padding +no +f32 +batch, queries, keys +yes +…?.*attention\.self/);
    const swapped = await attnswap(['swap', 'bert', '--variant', '0=window:w=4', '--out', 'new', '--json'], { cwd: folder });
    assert.equal(swapped.exitCode, 0, swapped.stderr);
    const record = JSON.parse(swapped.stdout) as { comparison: { largest: number } };
    const script = join(folder, 'check.py');
    writeFileSync(
      script,
      `${fromReadme}
plain = BertForMaskedLM.from_pretrained('../bert')
ids = torch.arange(24).view(2, 12)
mask = torch.ones(2, 12, dtype=torch.long)
mask[1, 8:] = 0
with torch.no_grad():
    a, b = plain(ids, mask).logits[mask == 1], model(ids, mask).logits[mask == 1]
assert 'attnswap_torch' not in sys.modules
print(float((a - b).norm() / a.norm()))
`,
    );
    const { stdout } = await execa(python!, [script], { cwd: join(folder, 'new') });
    // Other inputs, and the same attention: as far from the original.
    assert.ok(Number(stdout) > record.comparison.largest / 10 && Number(stdout) < 10 * record.comparison.largest, stdout);
  });

  test('capture → waste: what each site read is measured, as it is of an ONNX model', async () => {
    const tokens = (values: readonly number[]) => tensorOf('int64', [2, 12], values);
    const keep = Array.from({ length: 24 }, (_, at) => (at < 20 ? 1 : 0));
    await writeTensors(join(folder, 'feeds.safetensors'), {
      input_ids: tokens(Array.from({ length: 24 }, (_, at) => at)),
      attention_mask: tokens(keep),
    });
    const args = ['capture', 'bert', '--data', 'feeds.safetensors', '--out', 'captured', '--json'];
    const captured = await attnswap(args, { cwd: folder });
    assert.equal(captured.exitCode, 0, captured.stderr);
    const { files } = JSON.parse(captured.stdout) as { files: string[] };
    assert.deepEqual(files, ['captured/site0-item0.safetensors', 'captured/site1-item0.safetensors']);
    const { inputs, metadata } = await readCapturedInputs(join(folder, files[1]!), { dtype: 'f32' });
    const { batch, heads, queries, keys, headDim } = inputs.shape;
    assert.deepEqual([batch, heads, queries, keys, headDim, metadata.get('site')], [2, 4, 12, 12, 8, '1']);
    assert.deepEqual([...inputs.mask!], keep);
    const waste = await attnswap(['waste', '--inputs', files[0]!, '--rows', 'all', '--json'], { cwd: folder });
    assert.equal((JSON.parse(waste.stdout) as { rows: { of: number } }).rows.of, 2 * 4 * 12, waste.stderr);
    const missing = await attnswap([...args, '--site', '7'], { cwd: folder });
    assert.equal(missing.exitCode, 5);
    assert.match(missing.stderr, /site 7 cannot be captured/);
  });
});

test('new attention that no run calls is not taken for right', async () => {
  const attention = { longest: null, swap: async () => {}, capture: async () => [] };
  const site = { site: 0, node: 'attention', swappable: true };
  const inputs = [{ name: 'x', type: 'float32', dims: ['batch', 'sequence'] }];
  const hosted = { path: 'model.py:build', sites: [site], model: { inputs, attention } } as unknown as HostedModel;
  const [compared] = await compareHostedSites(hosted, parseReplacements(['dense.fused'], [0], adapter));
  assert.equal(compared?.reason, 'no run shows its output');
});
