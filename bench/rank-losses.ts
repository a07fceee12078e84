import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { adapter } from '../adapters/torch/adapter.ts';
import { items } from '../samples/minilm/minilm.data.ts';
import type { AdapterTraining, PlacedAttention, TrainingCost } from '../src/contract/model-attention.ts';
import { writeTensors } from '../src/data/tensor-files.ts';

// Do several ranks lose what one process loses? Trains the sample's model on the same batches in one process, on ranks by FSDP2 and on ranks by DeepSpeed,
// with dense attention and with two variants, and prints how far losses differ, and what each process holds. `npm run bench:rank-losses -- <ranks, 2> <steps, 10> <attention, all>`,
// such as `2 10 window:w=16`, after `npm run fetch-models && node samples/minilm/write-bert.ts`, with ATTNSWAP_PYTHON (npm run setup:deepspeed: one with DeepSpeed)
const [count, steps, wanted] = [Number(process.argv[2] ?? 2), Number(process.argv[3] ?? 10), process.argv[4]];
const model = fileURLToPath(new URL('../models/minilm-bert', import.meta.url));
if (!existsSync(model)) throw new Error(`no ${model}: npm run fetch-models && node samples/minilm/write-bert.ts`);
const attentions: Readonly<Record<string, PlacedAttention>> = {
  // As it is, dense attention loses nothing.
  'dense.fused at logits × 0.8': { variant: 'dense', kernel: 'fused', parameters: {}, scaleFactor: 0.8 },
  'window:w=16': { variant: 'window', kernel: 'tiled', parameters: { w: 16, globals: 0 } },
  'block-topk:block=16,blocks=2': { variant: 'block-topk', kernel: 'blocks', parameters: { block: 16, blocks: 2 } },
};
const batch = 2 * count;
const folder = mkdtempSync(join(tmpdir(), 'attnswap-rank-losses-'));
const files: string[] = [];
for (const { id, feeds } of await items({ lengths: [128], itemsPerLength: 4 * batch, seed: 1 })) {
  files.push(join(folder, `${id}.safetensors`));
  await writeTensors(files.at(-1)!, feeds);
}

interface Trained {
  readonly losses: readonly number[];
  readonly costs: readonly TrainingCost[];
}

async function train(attention: PlacedAttention, ranks: number, deepspeed?: 'zero3'): Promise<Trained> {
  const placed = Object.fromEntries([0, 1, 2].map((layer) => [`encoder.layer.${layer}.attention.self`, attention]));
  const opened = await adapter.openRanks!({ backend: 'torch-cpu', model, ranks, threads: 1, deepspeed });
  const optimizer = { learningRate: 3e-3, weightDecay: 0, warmUpSteps: 5, steps: 2 * steps, clip: 1 };
  const taken = Array.from({ length: batch * steps }, (_, at) => files[at % files.length]!);
  const one = async (objective: AdapterTraining['objective'], state: string | null) => {
    const output = join(folder, `${ranks}-${deepspeed ?? 'fsdp2'}-${objective}.safetensors`);
    return { output, ...(await opened.train(placed, { objective, items: taken, batch, rank: 8, seed: 1, optimizer, state, output })) };
  };
  try {
    const first = await one('transfer', null);
    const { losses, costs } = await one('labels', first.output);
    return { losses: [...first.losses, ...losses], costs };
  } finally {
    await opened.dispose();
  }
}

function attentionOf(name: string): PlacedAttention {
  const found = attentions[name];
  if (found === undefined) throw new Error(`no attention ${name}, only ${Object.keys(attentions).join(', ')}`);
  return found;
}

/** Parameters, gradients and optimizer state. */
const heldOf = (cost: TrainingCost) => cost.frozenBytes + cost.trainedBytes + cost.gradientBytes + cost.optimizerBytes;
const figure = (value: number) => value.toPrecision(3);

for (const [name, attention] of wanted === undefined ? Object.entries(attentions) : [[wanted, attentionOf(wanted)] as const]) {
  const alone = await train(attention, 1);
  const held = heldOf(alone.costs[0]!);
  console.log(
    `${name}: ${2 * steps} steps of ${batch} items; losses ${figure(alone.losses[0]!)} → ${figure(alone.losses.at(-1)!)}; one process holds ${held} bytes`,
  );
  for (const deepspeed of [undefined, 'zero3'] as const) {
    const by = deepspeed === undefined ? 'FSDP2' : 'DeepSpeed';
    const together = await train(attention, count, deepspeed).catch((error: Error) => error);
    if (together instanceof Error) {
      console.log(`  ${by}: ${together.message}`);
      continue;
    }
    const apart = together.losses.map((loss, step) => Math.abs(loss - alone.losses[step]!));
    const relative = Math.max(...apart.map((difference, step) => difference / alone.losses[step]!));
    const shares = together.costs.map((cost) => figure(heldOf(cost) / held)).join(', ');
    console.log(
      `  ${by}: losses differ by at most ${figure(Math.max(...apart))}, relative ${figure(relative)}; ranks hold ${shares} of that`,
    );
  }
}
rmSync(folder, { recursive: true });
