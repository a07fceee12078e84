import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { execa } from 'execa';
import { adapter } from '../adapters/torch/adapter.ts';
import type { AdapterTraining, PlacedAttentions, Ranks } from '../src/contract/model-attention.ts';
import { readTensors, writeTensors } from '../src/data/tensor-files.ts';
import { tensorOf } from '../src/inputs/model-inputs.ts';
import { emptyFolder } from './run-cli.ts';
import { python, skip } from './transformers-installed.ts';

const backend = 'torch-cpu';
const fixture = (name: string) => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));

function openRanks(model: string, ranks: number): Promise<Ranks> {
  return adapter.openRanks!({ backend, model, ranks, threads: 1 });
}

const placed: PlacedAttentions = Object.fromEntries(
  [0, 1].map((layer) => [
    `bert.encoder.layer.${layer}.attention.self`,
    { variant: 'window', kernel: 'tiled', parameters: { w: 4, globals: 0 } },
  ]),
);

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

interface Steps {
  readonly from: number;
  readonly to: number;
  readonly state?: string;
  readonly output?: string;
}

/** Two items a step: all modules, then the whole model. */
function trainingOf(
  items: readonly string[],
  objective: AdapterTraining['objective'],
  { from, to, state, output }: Steps,
): AdapterTraining {
  const taken = Array.from({ length: 2 * (to - from) }, (_, at) => items[(2 * from + at) % items.length]!);
  const optimizer = { learningRate: 0.02, weightDecay: 0, warmUpSteps: 2, steps: 40, clip: 1 };
  return { objective, items: taken, batch: 2, rank: 3, seed: 1, optimizer, state: state ?? null, output: output ?? null };
}

/** Whether a process is there and no zombie, which nobody may wait for. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('training on several ranks', { skip }, () => {
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
      for (const [what, bytes] of Object.entries(whole)) {
        assert.ok(bytes > 0 && cost[what as keyof typeof whole] <= 0.6 * bytes, `${what}: ${JSON.stringify([cost, whole])}`);
      }
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
const ranks = await adapter.openRanks(${JSON.stringify({ backend, model: join(folder, 'bert-bf16'), ranks: 2, threads: 1 })});
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
});
