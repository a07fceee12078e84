import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { execa } from 'execa';
import { adapter } from '../adapters/torch/adapter.ts';
import type { AdapterTraining, PlacedAttentions, Ranks } from '../src/contract/model-attention.ts';
import { readTensors, writeTensors } from '../src/data/tensor-files.ts';
import { tensorOf } from '../src/inputs/model-inputs.ts';
import { deepspeedPython, skipDeepspeed } from './deepspeed-installed.ts';
import { emptyFolder } from './run-cli.ts';
import { python, skip } from './transformers-installed.ts';

const backend = 'torch-cpu';
const fixture = (name: string) => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));

/** What shards the model, with a Python that has it. */
const means = [
  { name: 'FSDP2', deepspeed: undefined, path: python, skip },
  { name: 'DeepSpeed', deepspeed: 'zero3', path: deepspeedPython, skip: skipDeepspeed },
] as const;

const windowsAt = (...paths: readonly string[]): PlacedAttentions =>
  Object.fromEntries(paths.map((path) => [path, { variant: 'window', kernel: 'tiled', parameters: { w: 4, globals: 0 } }]));
const placed = windowsAt('bert.encoder.layer.0.attention.self', 'bert.encoder.layer.1.attention.self');
const awkward = windowsAt('layers.0.attention', 'layers.1.attention');
const outside = windowsAt(...[0, 1, 2, 3, 4, 5].map((layer) => `layers.${layer}.attention`));
const sharing = windowsAt(...[0, 1, 2, 3, 4].flatMap((layer) => [`layers.${layer}.first`, `layers.${layer}.second`]));

async function writeItems(folder: string): Promise<string[]> {
  const items: string[] = [];
  for (let item = 0; item < 8; item += 1) {
    const ids = Array.from({ length: 24 }, (_, at) => (7 * at + 13 * item) % 99);
    const keep = Array.from({ length: 24 }, (_, at) => (at < 24 - item ? 1 : 0));
    items.push(join(folder, `item-${item}.safetensors`));
    await writeTensors(items[item]!, { input_ids: tensorOf('int64', [1, 24], ids), attention_mask: tensorOf('int64', [1, 24], keep) });
  }
  return items;
}

/** Of awkward lengths; every second one is padded. */
async function writeAwkwardItems(folder: string): Promise<string[]> {
  const lengths = [7, 13, 1, 40, 24, 5, 9, 30];
  const paths = lengths.map((length) => join(folder, `${length}.safetensors`));
  for (const [at, length] of lengths.entries()) {
    const ids = Array.from({ length }, (_, token) => (7 * token + 13 * at) % 50);
    const keep = ids.map((_, token) => (at % 2 === 1 && token >= length - 3 ? 0 : 1));
    await writeTensors(paths[at]!, { tokens: tensorOf('int64', [1, length], ids), attention_mask: tensorOf('int64', [1, length], keep) });
  }
  return paths;
}

interface Steps {
  /** Items a step. */
  readonly batch?: number;
  readonly optimizer?: Partial<AdapterTraining['optimizer']>;
  readonly from: number;
  readonly to: number;
  readonly state?: string;
  readonly output?: string;
}

/** Two items a step, unless more are given. */
function trainingOf(
  items: readonly string[],
  objective: AdapterTraining['objective'],
  { batch = 2, optimizer: more, from, to, state, output }: Steps,
): AdapterTraining {
  const taken = Array.from({ length: batch * (to - from) }, (_, at) => items[(batch * from + at) % items.length]!);
  const optimizer = { learningRate: 0.02, weightDecay: 0, warmUpSteps: 2, steps: 40, clip: 1, ...more };
  return { objective, items: taken, batch, rank: 3, seed: 1, optimizer, state: state ?? null, output: output ?? null };
}

const sum = (bytes: Readonly<Record<string, number>>) => Object.values(bytes).reduce((total, each) => total + each, 0);

/** Whether a process is there and no zombie, which nobody may wait for. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

for (const { name, deepspeed, path, skip: reason } of means) {
  describe(`training on several ranks by ${name}`, { skip: reason }, () => {
    before(() => {
      process.env['ATTNSWAP_PYTHON'] = path;
    });
    const openRanks = (model: string, ranks: number): Promise<Ranks> =>
      adapter.openRanks!({ backend, model, ranks, threads: 1, deepspeed });

    test('two ranks lose what one process loses, and hold half of what it holds; a kill ends them by name, and the rest is as it would have been', async () => {
      const folder = emptyFolder();
      await execa(python!, [fixture('tiny-models.py'), folder, 'bert']);
      const items = await writeItems(folder);
      const open = (ranks: number) => openRanks(join(folder, 'bert'), ranks);
      const trained = async (ranks: Ranks, name: string) => {
        const [half, end] = ['half', 'end'].map((each) => join(folder, `${name}-${each}.safetensors`)) as [string, string];
        const first = await ranks.train(placed, trainingOf(items, 'transfer', { from: 0, to: 6, output: half }));
        const rest = await ranks.train(placed, trainingOf(items, 'labels', { from: 6, to: 12, state: half, output: end }));
        return { ...rest, losses: [...first.losses, ...rest.losses], half, parts: await readTensors(end) };
      };
      const one = await open(1);
      const alone = await trained(one, 'alone');
      await one.dispose();
      const two = await open(2);
      const together = await trained(two, 'together');
      assert.equal(together.parameters, alone.parameters);
      for (const [step, loss] of together.losses.entries()) {
        assert.ok(Math.abs(loss - alone.losses[step]!) <= 1e-4 * alone.losses[step]!, `step ${step}: ${loss}, alone ${alone.losses[step]}`);
      }
      assert.deepEqual(Object.keys(together.parts), Object.keys(alone.parts));
      const { elapsedNs: _, communicationNs, peakBytes: __, ...whole } = alone.costs[0]!;
      assert.equal(communicationNs, null);
      assert.equal(together.costs.length, 2);
      for (const cost of together.costs) {
        assert.ok(cost.communicationNs! > 0 && cost.communicationNs! < cost.elapsedNs, JSON.stringify(cost));
        const { elapsedNs: ___, communicationNs: ____, peakBytes: _____, ...own } = cost;
        for (const [what, bytes] of Object.entries(whole)) {
          // DeepSpeed trains a copy of the weights, which it keeps with the moments.
          const most = (what === 'optimizerBytes' && deepspeed !== undefined ? 0.8 : 0.6) * bytes;
          assert.ok(bytes > 0 && own[what as keyof typeof whole] <= most, `${what}: ${JSON.stringify([own, whole])}`);
        }
        assert.ok(sum(own) <= 0.6 * sum(whole), JSON.stringify([own, whole]));
      }

      const endless = two.train(placed, trainingOf(items, 'labels', { from: 6, to: 5000, state: together.half }));
      void setTimeout(100).then(() => process.kill(two.pids[1]!, 'SIGKILL'));
      await assert.rejects(endless, {
        code: 'WORKER_FAILED',
        message: `training on 2 ranks: rank 1 (process ${two.pids[1]}) was ended by SIGKILL; the others were stopped`,
        hint: 'run the same command to continue from the last checkpoint',
      });
      assert.deepEqual(two.pids.filter(isRunning), []);
      const resumed = await open(2);
      try {
        const { losses } = await resumed.train(placed, trainingOf(items, 'labels', { from: 6, to: 12, state: together.half }));
        assert.deepEqual(losses, together.losses.slice(6));
        const [site] = Object.keys(placed);
        const fewer = { [site!]: placed[site!]! };
        await assert.rejects(resumed.train(fewer, trainingOf(items, 'labels', { from: 0, to: 2 })), {
          code: 'UNSUPPORTED',
          message: /the same modules/,
        });
      } finally {
        await resumed.dispose();
      }
    });

    test('ranks end with the process that started them, in the middle of a step; weights in bfloat16 are sharded beside parts in float32', async () => {
      const folder = emptyFolder();
      await execa(python!, [fixture('tiny-models.py'), folder, 'bert-bf16']);
      const items = await writeItems(folder);
      const [few, training] = [2, 500].map((to) => trainingOf(items, 'labels', { from: 0, to }));
      const script = `import { adapter } from ${JSON.stringify(new URL('../adapters/torch/adapter.ts', import.meta.url))};
const ranks = await adapter.openRanks(${JSON.stringify({ backend, model: join(folder, 'bert-bf16'), ranks: 2, threads: 1, deepspeed })});
const { losses } = await ranks.train(${JSON.stringify(placed)}, ${JSON.stringify(few)});
if (!losses.every(Number.isFinite)) throw new Error('losses: ' + losses);
setTimeout(() => console.log(JSON.stringify(ranks.pids)), 500);
for (;;) await ranks.train(${JSON.stringify(placed)}, ${JSON.stringify(training)});`;
      const parent = execa(process.execPath, ['--input-type=module', '-e', script], { reject: false });
      const first = new Promise<number[]>((done) =>
        parent.stdout.once('data', (line: Buffer) => done(JSON.parse(line.toString()) as number[])),
      );
      const pids = await Promise.race([first, parent.then(({ stderr, shortMessage }) => assert.fail(`${shortMessage}${stderr}`))]);
      assert.deepEqual(pids.map(isRunning), [true, true]);
      parent.kill('SIGKILL');
      await parent;
      while (pids.some(isRunning)) await setTimeout(50);
    });

    test('what models do with their weights changes no loss: tied, shared, read elsewhere, frozen, bfloat16, dropout, a layer that runs twice; nor do batches, nor clipping', async () => {
      const items = await writeAwkwardItems(emptyFolder());
      // So small a norm that AdamW sees it: its steps are as long as gradients are, next to its epsilon.
      const few = { batch: 4, optimizer: { learningRate: 2, clip: 1e-9 }, from: 0, to: 4 };
      const trainings = (['transfer', 'labels'] as const).map((objective) => trainingOf(items, objective, few));
      for (const { model, sites = awkward, tolerance = 1e-4 } of [
        { model: 'awkward_model.py:build' },
        // DeepSpeed's linear maps round before they add the bias.
        { model: 'awkward_model.py:narrow', tolerance: deepspeed === undefined ? 1e-4 : 1e-2 },
        { model: 'shared_model.py:build', sites: sharing },
        ...(deepspeed === undefined ? [{ model: 'outside_model.py:build', sites: outside }] : []),
      ]) {
        const trained: Array<Awaited<ReturnType<Ranks['train']>>> = [];
        for (const count of [1, 2]) {
          const ranks = await openRanks(fixture(model), count);
          try {
            for (const training of trainings) trained.push(await ranks.train(sites, training));
          } finally {
            await ranks.dispose();
          }
        }
        for (const [of, { losses, costs }] of trained.slice(2).entries()) {
          const alone = trained[of]!;
          assert.equal(new Set(alone.losses).size, alone.losses.length);
          for (const [step, loss] of losses.entries())
            assert.ok(
              Math.abs(loss - alone.losses[step]!) <= tolerance * alone.losses[step]!,
              `${model}, ${trainings[of]!.objective}, step ${step}: ${loss}, alone ${alone.losses[step]}`,
            );
          for (const { frozenBytes } of costs) assert.ok(frozenBytes <= 0.6 * alone.costs[0]!.frozenBytes, `${model}: ${frozenBytes}`);
        }
      }
    });

    test('a batch that ranks cannot share evenly is refused by all of them, and so is a weight that is not the attention’s alone', async () => {
      const items = await writeAwkwardItems(emptyFolder());
      for (const [model, batch, message] of [
        ['build', 3, /2 ranks cannot share a batch of 3 evenly: expected a multiple of 2/],
        ['tied_attention', 2, /layers\.[01]\.attention\.qkv shares its weight with layers\.[01]\.attention\.qkv/],
      ] as const) {
        const ranks = await openRanks(`${fixture('awkward_model.py')}:${model}`, 2);
        await assert.rejects(ranks.train(awkward, trainingOf(items, 'labels', { batch, from: 0, to: 1 })), {
          code: 'UNSUPPORTED',
          message,
        });
        assert.deepEqual(ranks.pids.filter(isRunning), []);
      }
    });
  });
}

test('training in one process leaves a model as it was opened: the same parameters train', { skip }, async () => {
  process.env['ATTNSWAP_PYTHON'] = python;
  const [item] = await writeAwkwardItems(emptyFolder());
  const opened = await adapter.openModel!({ backend, model: `${fixture('awkward_model.py')}:build`, pass: 'forward+backward' });
  assert.ok(!('unsupported' in opened));
  try {
    const feeds = await readTensors(item!);
    const gradientsOf = async () => {
      const bound = opened.bind(feeds);
      await bound.run();
      return bound.outputs();
    };
    const before = await gradientsOf();
    await opened.attention!.train(awkward, trainingOf([item!], 'labels', { from: 0, to: 2 }));
    assert.deepEqual(await gradientsOf(), before);
  } finally {
    await opened.dispose();
  }
});

test('DeepSpeed is refused where it is not installed, and where its release lacks what is needed', { skip }, async () => {
  process.env['ATTNSWAP_PYTHON'] = python;
  const [none, old] = [emptyFolder(), emptyFolder()];
  writeFileSync(join(none, 'deepspeed.py'), `raise ModuleNotFoundError("No module named 'deepspeed'")`);
  for (const [file, code] of [
    ['__init__', 'from . import utils\n__version__ = "0.3.1"'],
    ['utils/__init__', 'safe_get_full_fp32_param = None'],
    ['comm/__init__', ''],
    ['comm/torch', 'TorchBackend = None'],
    ['runtime/__init__', ''],
    ['runtime/zero/__init__', ''],
    ['runtime/zero/stage3', 'DeepSpeedZeroOptimizer_Stage3 = None'],
  ] as const) {
    mkdirSync(join(old, 'deepspeed', dirname(file)), { recursive: true });
    writeFileSync(join(old, 'deepspeed', `${file}.py`), code);
  }
  const request = { backend, model: `${fixture('own_model.py')}:build`, ranks: 2, threads: 1, deepspeed: 'zero3' } as const;
  for (const [folder, message] of [
    [none, /has no DeepSpeed .* -m pip install deepspeed$/],
    [old, /^DeepSpeed 0\.3\.1 has no safe_get_full_optimizer_state, which --deepspeed needs: .* -m pip install deepspeed --upgrade$/],
  ] as const) {
    process.env['PYTHONPATH'] = folder;
    await assert.rejects(adapter.openRanks!(request), { code: 'UNSUPPORTED', message }).finally(() => delete process.env['PYTHONPATH']);
  }
});
