import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KernelRequest } from '../src/contract/adapter.ts';
import type { AttentionInputs } from '../src/contract/inputs.ts';
import type { Shape } from '../src/contract/shape.ts';
import { drawGate } from '../src/inputs/gate.ts';
import { drawGaussian } from '../src/inputs/gaussian.ts';
import { RandomStream } from '../src/inputs/random.ts';
import { findVariant, parseVariant } from '../src/variants/index.ts';
import { judgeOutput } from '../src/variants/judge.ts';
import { adapters } from './index.ts';

// Every kernel of every adapter against the float64 reference: new inputs for every check.
const specs = [
  'dense',
  'topk:k=4',
  'topk:k=100',
  'topk:keep=0.3',
  'window:w=1',
  'window:w=5',
  'window:w=16,globals=3',
  'gated',
  'gated:sparsity=0.3',
  'gated:tau=0.5',
  'gated:form=log,sparsity=0.2',
  'gated:block=8',
  'gated:block=8,sparsity=0.4',
  'gated:block=8,tau=0.5,form=log',
  'hierarchical',
  'hierarchical:local=4,region=8',
  'hierarchical:local=2,region=4,ratio=1:1:1',
  'hierarchical:local=8,region=8,ratio=0:1:0',
  'block-topk',
  'block-topk:block=8,blocks=3',
];
/** [queries, keys]: every variant where it is defined. */
const short = [
  [1, 1],
  [2, 2],
  [7, 7],
  [33, 33],
  [64, 64],
  [65, 65],
  [130, 130],
  [1, 20],
  [13, 50],
  [70, 7],
] as const;
/** Length boundaries of tiles, on two heads. */
const long = [
  [511, 511],
  [512, 512],
  [513, 513],
  [1000, 1000],
  [300, 1000],
] as const;

interface Case {
  readonly shape: Shape;
  readonly padded: boolean;
  readonly rows: 'all' | { count: number; seed: number };
}

function casesOf(seed: number): Case[] {
  const at = (queries: number, keys: number, heads: number, kvHeads: number, causal: boolean): Shape => ({
    batch: 2,
    heads,
    kvHeads,
    queries,
    keys,
    headDim: 8,
    causal,
    dtype: 'f32',
  });
  const flags = [true, false].flatMap((causal) => [true, false].map((padded) => ({ causal, padded })));
  return flags.flatMap(({ causal, padded }) => [
    ...short.flatMap(([queries, keys]) =>
      [at(queries, keys, 2, 2, causal), at(queries, keys, 8, 4, causal)].map((shape) => ({ shape, padded, rows: 'all' as const })),
    ),
    ...(padded ? [] : long.map(([queries, keys]) => ({ shape: at(queries, keys, 3, 1, causal), padded, rows: { count: 200, seed } }))),
  ]);
}

/** Holes everywhere; at 33 keys one whole batch element is padding, at 64 two whole blocks are. */
function maskOf(shape: Shape, seed: number): Uint8Array {
  const stream = new RandomStream(seed, 'mask');
  const mask = Uint8Array.from({ length: shape.batch * shape.keys }, () => (stream.uniform() < 0.7 ? 1 : 0));
  if (shape.keys === 33) mask.fill(0, 33);
  if (shape.keys === 64) mask.fill(0, 8, 24);
  return mask;
}

function inputsOf({ shape, padded }: Case, seed: number): AttentionInputs {
  const inputs = { ...drawGaussian(shape, seed), gate: drawGate(shape, undefined, seed) };
  return padded ? { ...inputs, mask: maskOf(shape, seed) } : inputs;
}

let seed = Number(process.env['ATTNSWAP_SEED'] ?? Date.now() % 1e6);
console.log(`seed ${seed} (ATTNSWAP_SEED=${seed} repeats these inputs)`);

for (const entry of adapters) {
  const adapter = await entry.load();
  for (const backend of ['onnx-cpu']) {
    for (const text of specs) {
      const spec = parseVariant(text);
      for (const { kernel } of adapter.kernels.filter(({ variant }) => variant === spec.variant)) {
        test(`${backend}: ${text} by ${kernel} agrees with the float64 reference`, async () => {
          for (const given of casesOf(seed)) {
            seed++;
            const variant = findVariant(spec.variant);
            if (variant.refuses(spec.parameters, given.shape) !== undefined) continue;
            const inputs = inputsOf(given, seed);
            const request: KernelRequest = {
              backend,
              variant: spec.variant,
              parameters: spec.parameters,
              kernel,
              inputs,
              purpose: 'latency',
            };
            const prepared = await adapter.prepare(request);
            assert.ok(!('unsupported' in prepared), 'unsupported');
            await prepared.run();
            const judgement = judgeOutput(await prepared.output(), inputs, variant, spec.parameters, { rows: given.rows });
            await prepared.dispose();
            assert.ok(judgement.ok, `${JSON.stringify({ ...given, seed })}: ${judgement.reason}`);
          }
        });
      }
    }
  }
}
