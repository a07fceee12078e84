import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, test } from 'node:test';
import { execa } from 'execa';
import { adapter } from '../adapters/torch/adapter.ts';
import type { OpenModel } from '../src/contract/adapter.ts';
import type { Tensors } from '../src/contract/tensor.ts';
import { wordTokenizer } from '../src/data/fixtures/word-tokenizer.ts';
import { readTensors, writeTensors } from '../src/data/tensor-files.ts';
import { tensorOf } from '../src/inputs/model-inputs.ts';
import { HostedSubject } from '../src/migration/hosted-subject.ts';
import { usableHostedCache } from '../src/migration/usable-cache.ts';
import { largestAt } from '../src/model/cache/drive.ts';
import { Follower } from '../src/model/cache/follower.ts';
import { parseReplacements } from '../src/migration/parse-replacements.ts';
import { findHostedSites, openHosted, swappableOf } from '../src/model/hosted/find-hosted-sites.ts';
import type { HostedModel } from '../src/model/hosted/find-hosted-sites.ts';
import { migrate } from '../src/operations/migrate.ts';
import type { MigrateOptions } from '../src/operations/migrate-options.ts';
import { itemDrift } from '../src/quality/drift.ts';
import { attnswap, emptyFolder } from './run-cli.ts';
import { python, skip } from './transformers-installed.ts';

const fixture = (name: string) => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));
const backend = 'torch-cpu';

const dataModule = `
const tokens = (length, seed) => BigInt64Array.from({ length }, (_, at) => BigInt((7 * at + 13 * seed) % 50));
export async function items({ lengths, itemsPerLength, seed }) {
  return lengths.flatMap((length) => Array.from({ length: itemsPerLength }, (_, index) => ({
    id: length + '-' + index,
    length,
    groups: [{ name: 'image', from: 0, to: 6 }, { name: 'text', from: 6, to: length, sites: [1] }],
    feeds: {
      tokens: { type: 'int64', dims: [1, length], data: tokens(length, seed + index) },
      attention_mask: { type: 'int64', dims: [1, length], data: new BigInt64Array(length).fill(1n) },
    },
  })));
}
`;

const prose = Array.from({ length: 2000 }, (_, index) => (index * 7919).toString(26).replace(/\d/g, 'x')).join(' ');
const prompt = Array.from({ length: 18 }, (_, at) => 3 + ((7 * at) % 90));

function feedsOf(ids: readonly number[]): Tensors {
  return {
    input_ids: tensorOf('int64', [1, ids.length], ids),
    attention_mask: tensorOf('int64', [1, ids.length], Array<number>(ids.length).fill(1)),
  };
}

async function outputsOf(model: OpenModel, feeds: Tensors): Promise<Tensors> {
  const bound = model.bind(feeds);
  await bound.run();
  return bound.outputs();
}

/** What the folder `migrated` makes of the folder `bert`, without attnswap. */
async function inPlainTransformers(cwd: string, feeds: Tensors): Promise<Tensors> {
  await writeTensors(join(cwd, 'feeds.safetensors'), feeds);
  const script = `import sys, torch
sys.path.insert(0, 'migrated')
from safetensors.torch import load_file, save_file
from transformers import BertForMaskedLM
from attnswap_attention import swapped
model = swapped(BertForMaskedLM.from_pretrained('bert'))
with torch.no_grad():
    save_file({'logits': model(**load_file('feeds.safetensors')).logits}, 'plain.safetensors')
assert 'attnswap_torch' not in sys.modules
`;
  await execa(python!, ['-c', script], { cwd });
  return readTensors(join(cwd, 'plain.safetensors'));
}

async function hostedSubject(path: string): Promise<{ readonly hosted: HostedModel; readonly subject: HostedSubject }> {
  const hosted = await findHostedSites(path, await openHosted(path, adapter, backend));
  return { hosted, subject: new HostedSubject(hosted, { adapter, backend }) };
}

/** Two layers of attention, of which the first adds a bias by distance. */
const biasedModule = `
import torch
from torch import nn

class Attention(nn.Module):
    def __init__(self, biased):
        super().__init__()
        self.projections = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))
        self.biased = biased

    def forward(self, x):
        query, key, value = (project(x).unflatten(-1, (2, 4)).transpose(1, 2) for project in self.projections)
        place = torch.arange(x.shape[1])
        bias = -0.1 * (place[:, None] - place).abs()[None, None] if self.biased else None
        return nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias).transpose(1, 2).flatten(2)

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(50, 8)
        self.layers = nn.ModuleList([Attention(True), Attention(False)])

    def forward(self, tokens):
        x = self.embedding(tokens)
        for layer in self.layers:
            x = x + layer(x)
        return x

def build():
    torch.manual_seed(1)
    return Model().eval(), {'tokens': {'type': 'int64', 'dims': ['batch', 'sequence'], 'below': 50}}
`;

describe('migrations of PyTorch models', { skip }, () => {
  test('tuning times attention with a bias alone, as it does any other', async () => {
    const cwd = emptyFolder();
    process.chdir(cwd);
    writeFileSync('biased.py', biasedModule);
    writeFileSync('mine.data.mjs', dataModule.replace(/^ *(attention_mask|groups):.*$/gm, ''));
    const shared = { data: ['mine.data.mjs'], lengths: [16], items: 6, evaluations: 1, maxBlocks: 2, threads: 1, dir: 'state' };
    const { tuned } = await migrate({ ...shared, model: 'biased.py:build', candidates: ['dense.naive'] });
    const { steps } = JSON.parse(readFileSync('state/journal.json', 'utf8')) as { steps: Record<string, unknown> };
    const timed = Object.entries(steps).filter(([name]) => name.startsWith('tune/kernel/0/'));
    assert.deepEqual([tuned!.untimed, timed.map(([, value]) => typeof value)], [[], ['number', 'number']]);
  });

  test('a model is taken through the phases, and an interrupted migration goes on from what it measured', async () => {
    const cwd = emptyFolder();
    process.chdir(cwd);
    writeFileSync('mine.data.mjs', dataModule);
    const options: MigrateOptions = {
      model: `${fixture('own_model.py')}:build`,
      data: ['mine.data.mjs'],
      lengths: [16],
      items: 6,
      candidates: ['dense.fused', 'window:w=2'],
      evaluations: 2,
      maxBlocks: 2,
      threads: 1,
      backward: true,
      recover: { steps: 60, labels: 10, rank: 4, learningRate: 1e-2 },
      ranks: 2,
      dir: 'state',
    };
    const steps = () => (JSON.parse(readFileSync('state/journal.json', 'utf8')) as { steps: Record<string, unknown> }).steps;
    const stop = new AbortController();
    const stopped = migrate({ ...options, signal: stop.signal, onProgress: ({ what }) => /^phase 2.*block/.test(what) && stop.abort() });
    await assert.rejects(stopped, { code: 'INTERRUPTED', message: 'interrupted; what was measured is in state' });
    const kept = steps();
    assert.ok('candidate/dense.fused/quality' in kept && !('latency/dense.fused/16' in kept), Object.keys(kept).join(', '));
    const { settings, baseline, candidates, tuned, recovered, scaling, notDecoded } = await migrate(options);
    const after = steps();
    for (const [step, result] of Object.entries(kept)) assert.deepEqual(after[step], result, step);
    assert.equal(settings.backend, backend);
    assert.match(notDecoded!, /whole sequences/);
    assert.deepEqual(
      baseline.lengths.map(({ length, waste }) => [length, waste.map(({ site }) => site)]),
      [[16, [0, 1]]],
    );
    const groups = baseline.lengths[0]!.waste.map(({ overall }) => overall.groups!);
    assert.deepEqual(
      groups.map((each) => each.map(({ name, from, to }) => [name, from, to])),
      [
        [['image', 0, 6]],
        [
          ['image', 0, 6],
          ['text', 6, 16],
        ],
      ],
    );
    assert.ok(Math.abs(groups[1]!.reduce((sum, { mass }) => sum + mass!.value, 0) - 1) < 1e-9);
    assert.deepEqual(
      baseline.backward!.map(({ length, medianNs, peakHostBytes }) => [length, medianNs > 0, peakHostBytes > 0]),
      [[16, true, true]],
    );
    const [fused, window] = candidates!;
    assert.deepEqual([fused!.backward!.latency!.metric, fused!.backward!.memory!.metric], ['latency', 'peak-memory']);
    assert.equal(window!.backward, null, 'what loses too much is not timed');
    assert.deepEqual([fused!.quality!.judgement.outcome, fused!.latency!.outcome !== undefined], ['pass', true]);
    assert.deepEqual([fused!.proof!.of, fused!.proof!.nodesRemoved], ['modules', []]);
    assert.ok(fused!.memory!.effect !== null);
    assert.deepEqual([window!.decision.verdict, window!.latency], ['reject', null]);
    assert.ok(tuned!.search.evaluations <= 2);
    const [trained] = recovered!;
    assert.ok(recovered!.length === 1 && 'result' in trained!, JSON.stringify(recovered));
    const { from, losses, judged, kept: step, lostBefore, lostBetween, lostAfter, share, result } = trained;
    assert.deepEqual(
      judged.map((each) => each.step),
      [60, 70],
    );
    assert.ok(judged.some((each) => each.step === step));
    assert.equal(lostBetween !== null, step === 70);
    assert.deepEqual([from, losses.transfer.length, losses.labels.length], ['window.tiled:w=2', 60, 10]);
    assert.equal(lostBefore, window!.quality!.judgement.marginsLost);
    assert.ok(lostAfter < lostBefore && share === 1 - lostAfter / lostBefore, `${lostBefore} → ${lostAfter}`);
    assert.deepEqual([result.name, result.proof!.sha256], ['window.tiled:w=2 recovered', fused!.proof!.sha256]);
    assert.deepEqual([settings.recover!.batch, scaling!.ranks, scaling!.threads], [2, 2, 1]);
    assert.deepEqual(
      scaling!.attentions.map((each) => ['ranks' in each && each.ranks.length, each.candidate]),
      [
        [2, 'dense.fused'],
        [2, 'window.tiled:w=2'],
      ],
    );
    const page = await attnswap(['report', 'state', '--out', 'page.md'], { cwd });
    assert.equal(page.exitCode, 0, page.stderr);
    assert.match(
      readFileSync('page.md', 'utf8'),
      /Migration of own[\s\S]*gradients of all parameters[\s\S]*Attention by keys[\s\S]*image \(0–5\)[\s\S]*low-rank updates[\s\S]*Scaling efficiency[\s\S]*rank 1[\s\S]*Every module, parameter and buffer is the original’s/,
    );
  });

  test('a decoder is measured behind its cache, and generates what transformers generates, with its own attention and with other', async () => {
    const cwd = emptyFolder();
    process.chdir(cwd);
    await execa(python!, [fixture('tiny-models.py'), cwd, 'llama']);
    writeFileSync('book.txt', prose);
    writeFileSync('tokenizer.json', JSON.stringify(wordTokenizer));
    const options: MigrateOptions = {
      model: 'llama',
      data: ['book.txt'],
      tokenizer: 'tokenizer.json',
      lengths: [24],
      items: 1,
      generate: 6,
      until: 'baseline',
      threads: 1,
      dir: 'state',
    };
    const { baseline, notDecoded } = await migrate(options);
    // What the parameters do not tell.
    const config = readFileSync('llama/config.json', 'utf8');
    writeFileSync('llama/config.json', JSON.stringify({ ...JSON.parse(config), rms_norm_eps: 1e-3 }));
    await assert.rejects(migrate(options), { code: 'INVALID_MIGRATION', message: /the file llama\/config\.json changed/ });
    writeFileSync('llama/config.json', config);
    assert.equal(notDecoded, null);
    // Two layers of keys and values, two heads of 8 channels, four bytes each.
    assert.equal(baseline.decode?.cacheBytesPerToken, 2 * 2 * 2 * 8 * 4);
    assert.deepEqual(
      baseline.decode.lengths.map(({ length, cacheBytes, medianNs, peakHostBytes }) => [
        length,
        cacheBytes,
        medianNs > 0,
        peakHostBytes > 0,
      ]),
      [[24, 24 * 2 * 2 * 2 * 8 * 4, true, true]],
    );

    const { hosted, subject } = await hostedSubject('llama');
    try {
      const cache = (await usableHostedCache(hosted, {}, async () => ({ id: '0', length: 18, feeds: feedsOf(prompt) }))).cache!;
      const candidate = { name: 'window', replacements: parseReplacements(['window:w=3'], swappableOf(hosted.sites), adapter) };
      await subject.write(candidate, 'llama.swap.json');
      await subject.adopt(candidate, { folder: '.' });
      const follow = async (model: OpenModel) => {
        const follower = new Follower(model, cache, feedsOf(prompt));
        await follower.begin();
        const ids = [largestAt(follower.logits)];
        while (ids.length < 12) {
          await follower.follow(ids.at(-1)!);
          ids.push(largestAt(follower.logits));
        }
        return ids;
      };
      const own = await follow(await subject.open());
      const other = await follow(await subject.open(candidate));
      assert.notDeepEqual(other, own);
      const script = `import json, sys, torch
sys.path.insert(0, 'migrated')
from transformers import LlamaForCausalLM
from attnswap_attention import swapped
plain = LlamaForCausalLM.from_pretrained('llama')
ids = torch.tensor([${JSON.stringify(prompt)}])
plain.generation_config.eos_token_id = None
wanted = {'max_new_tokens': 12, 'do_sample': False, 'attention_mask': torch.ones_like(ids)}
generate = lambda model, **more: model.generate(ids, **wanted, **more)[0, ids.shape[1]:].tolist()
own = generate(plain)
model = swapped(plain)
print(json.dumps([own, generate(model), generate(model, use_cache=False)]))
`;
      const { stdout } = await execa(python!, ['-c', script]);
      assert.deepEqual(JSON.parse(stdout), [own, other, other]);
    } finally {
      await subject.dispose();
    }
  });

  test('what is adopted computes in plain transformers what was judged and timed', async () => {
    const folder = emptyFolder();
    await execa(python!, [fixture('tiny-models.py'), folder, 'bert']);
    const path = join(folder, 'bert');
    const { hosted, subject } = await hostedSubject(path);
    try {
      const replacements = parseReplacements(['window:w=4'], swappableOf(hosted.sites), adapter);
      const candidate = { name: 'window.tiled:w=4', replacements };
      const ids = Array.from({ length: 24 }, (_, at) => at);
      const keep = ids.map((at) => (at < 20 ? 1 : 0));
      const feeds = { input_ids: tensorOf('int64', [2, 12], ids), attention_mask: tensorOf('int64', [2, 12], keep) };
      const judged = await outputsOf(await subject.open(candidate), feeds);
      const swapFile = join(folder, 'models.swap.json');
      await subject.write(candidate, swapFile);
      const timed = await adapter.openModel!({ backend, model: swapFile });
      assert.ok(!('unsupported' in timed));
      assert.deepEqual(await outputsOf(timed, feeds), judged);
      await timed.dispose();
      assert.equal(await subject.adopt(candidate, { folder }), join(folder, 'migrated'));
      const drift = itemDrift('plain', judged, await inPlainTransformers(folder, feeds));
      assert.ok(drift.state === 'measured' && drift.outputs[0]!.relativeError! < 1e-6, JSON.stringify(drift));
      const original = await outputsOf(await subject.open(), feeds);
      const moved = itemDrift('original', original, judged);
      assert.ok(moved.state === 'measured' && moved.outputs[0]!.relativeError! > 1e-3, JSON.stringify(moved));

      const wrong = { ...feeds, input_ids: tensorOf('int64', [2, 12], Array<number>(24).fill(1000)) };
      await assert.rejects(outputsOf(await subject.open(candidate), wrong), { code: 'UNSUPPORTED', message: /index out of range/ });
      assert.deepEqual(await outputsOf(await subject.open(), feeds), original, 'the model is opened anew, with its own attention');
    } finally {
      await subject.dispose();
    }
  });

  test('training goes on from a checkpoint as if it had not stopped, and leaves the model as it was', async () => {
    const folder = emptyFolder();
    await execa(python!, [fixture('tiny-models.py'), folder, 'bert', 'gpt2-bf16']);
    for (const [name, parameters] of [
      // Query, key and value of two layers; in GPT-2 one map for all three, and that of the output: the parts of bfloat16 weights are float32.
      ['bert', 2 * 3 * 4 * (32 + 32)],
      ['gpt2-bf16', 2 * 4 * (32 + 96 + 32 + 32)],
    ] as const) {
      const { hosted, subject } = await hostedSubject(join(folder, name));
      try {
        const candidate = { name: 'window', replacements: parseReplacements(['window:w=4'], swappableOf(hosted.sites), adapter) };
        const keep = tensorOf('int64', [1, 24], Array<number>(24).fill(1));
        const items: string[] = [];
        for (const seed of [0, 1, 2, 3]) {
          const ids = Array.from({ length: 24 }, (_, at) => (7 * at + 13 * seed) % 99);
          items.push(join(folder, `${name}-${seed}.safetensors`));
          await writeTensors(items[seed]!, { input_ids: tensorOf('int64', [1, 24], ids), attention_mask: keep });
        }
        const feeds = await readTensors(items[0]!);
        const before = await outputsOf(await subject.open(), feeds);
        const optimizer = { learningRate: 0.02, weightDecay: 0, warmUpSteps: 2, steps: 40, clip: 1 };
        const steps = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => items[(from + at) % 4]!);
        const train = (from: number, to: number, state: string | null, output: string) =>
          subject.train(candidate, { objective: 'transfer', items: steps(from, to), batch: 1, rank: 4, seed: 1, optimizer, state, output });
        const [half, whole, resumed] = ['half', 'whole', 'resumed'].map((each) => join(folder, `${name}-${each}.safetensors`)) as [
          string,
          string,
          string,
        ];
        const all = await train(0, 40, null, whole);
        const first = await train(0, 20, null, half);
        const rest = await train(20, 40, half, resumed);
        assert.equal(all.parameters, parameters);
        [...first.losses, ...rest.losses].forEach((loss, at) => assert.ok(Math.abs(loss - all.losses[at]!) <= 1e-5 * loss, `step ${at}`));
        const [start, end] = [all.losses.slice(0, 4), all.losses.slice(-4)].map((losses) => losses.reduce((sum, loss) => sum + loss));
        assert.ok(end! < 0.7 * start!, `${name}: ${start} → ${end}`);
        assert.deepEqual(await outputsOf(await subject.open(), feeds), before);

        const trained = { ...candidate, name: 'window recovered', adapters: whole };
        const path = join(folder, `${name}.swap.json`);
        assert.equal((await subject.write(trained, path)).sha256, hosted.sha256);
        const judged = await outputsOf(await subject.open(trained), feeds);
        const timed = await adapter.openModel!({ backend, model: path });
        assert.ok(!('unsupported' in timed));
        assert.deepEqual(await outputsOf(timed, feeds), judged);
        await timed.dispose();
        const plain = itemDrift('plain', await outputsOf(await subject.open(candidate), feeds), judged);
        assert.ok(plain.state === 'measured' && plain.outputs[0]!.relativeError! > 1e-3, JSON.stringify(plain));
        if (name !== 'bert') continue;
        await subject.adopt(trained, { folder });
        const same = itemDrift('adopted', judged, await inPlainTransformers(folder, feeds));
        assert.ok(same.state === 'measured' && same.outputs[0]!.relativeError! < 1e-6, JSON.stringify(same));
      } finally {
        await subject.dispose();
      }
    }
  });

  test('weights in float16 are not trained, as their small gradients would be lost', async () => {
    const folder = emptyFolder();
    await execa(python!, [fixture('tiny-models.py'), folder, 'gpt2-f16']);
    const { hosted, subject } = await hostedSubject(join(folder, 'gpt2-f16'));
    try {
      const candidate = { name: 'window', replacements: parseReplacements(['window:w=4'], swappableOf(hosted.sites), adapter) };
      const item = join(folder, 'item.safetensors');
      await writeTensors(item, { input_ids: tensorOf('int64', [1, 24], Array<number>(24).fill(7)) });
      const optimizer = { learningRate: 0.02, weightDecay: 0, warmUpSteps: 0, steps: 2, clip: 1 };
      const training = { objective: 'transfer', items: [item, item], batch: 1, rank: 4, seed: 1, optimizer, state: null } as const;
      await assert.rejects(subject.train(candidate, { ...training, output: join(folder, 'trained.safetensors') }), {
        code: 'UNSUPPORTED',
        message: /the weights are float16/,
      });
    } finally {
      await subject.dispose();
    }
  });

  test('soft labels of token states are told in the mean over tokens as well, padding left out', async () => {
    const folder = emptyFolder();
    const { hosted, subject } = await hostedSubject(`${fixture('own_model.py')}:build`);
    try {
      const candidate = { name: 'window', replacements: parseReplacements(['window:w=2'], swappableOf(hosted.sites), adapter) };
      const ids = Array.from({ length: 24 }, (_, at) => (7 * at) % 50);
      const keep = ids.map((_, at) => (at < 20 ? 1 : 0));
      const feeds = { tokens: tensorOf('int64', [2, 12], ids), attention_mask: tensorOf('int64', [2, 12], keep) };
      const item = join(folder, 'item.safetensors');
      await writeTensors(item, feeds);
      const [wanted, given] = [
        (await outputsOf(await subject.open(), feeds))['output']!.data as Float32Array,
        (await outputsOf(await subject.open(candidate), feeds))['output']!.data as Float32Array,
      ];
      const width = wanted.length / 24;
      const states = (data: Float32Array) => [...data].filter((_, at) => keep[Math.floor(at / width)] === 1);
      const means = (data: Float32Array) =>
        [12, 8].flatMap((tokens, row) =>
          Array.from({ length: width }, (_, column) =>
            Array.from({ length: tokens }, (__, token) => data[(12 * row + token) * width + column]! / tokens).reduce((a, b) => a + b),
          ),
        );
      const relative = (a: number[], b: number[]) =>
        a.reduce((sum, value, at) => sum + (value - b[at]!) ** 2, 0) / b.reduce((sum, value) => sum + value ** 2, 0);
      const optimizer = { learningRate: 0.01, weightDecay: 0, warmUpSteps: 1, steps: 1, clip: 1 };
      const training = { items: [item], batch: 1, rank: 2, seed: 1, optimizer, state: null, output: join(folder, 'trained.safetensors') };
      const { losses } = await subject.train(candidate, { objective: 'labels', ...training });
      const expected = 0.1 * relative(states(given), states(wanted)) + relative(means(given), means(wanted));
      // b is zero before the first step.
      assert.ok(Math.abs(losses[0]! - expected) < 1e-4 * expected, `${losses[0]}, expected ${expected}`);
    } finally {
      await subject.dispose();
    }
  });
});
