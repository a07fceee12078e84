import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Gradients } from '../../src/contract/adapter.ts';
import type { AttentionInputs } from '../../src/contract/inputs.ts';
import { createCaseInputs } from '../../src/variants/case-inputs.ts';
import type { BiasKind, MaskKind } from '../../src/variants/case-inputs.ts';
import { findVariant, parseVariant } from '../../src/variants/index.ts';
import type { VariantSpec } from '../../src/variants/index.ts';
import { referenceOutput } from '../../src/variants/reference.ts';
import { adapter } from './adapter.ts';
import { skip } from '../../tests/torch-installed.ts';

// Gradients of every variant's kernels against differences of the float64 reference along random directions.
const shared = adapter.inOneProcess!();
after(() => shared.close());

const tensors = ['query', 'key', 'value'] as const;
type Tensor = (typeof tensors)[number];

/** Seeded numbers of mean 0, about 1 in size. */
function noise(length: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 31 - 1) * Math.sqrt(3);
  });
}

/** Σ outputGradient·output in float64. */
function loss(inputs: AttentionInputs, { variant, parameters }: VariantSpec, outputGradient: Float32Array): number {
  const output = referenceOutput(inputs, findVariant(variant), parameters);
  return output.reduce((sum, value, index) => sum + value * outputGradient[index]!, 0);
}

/** The reference's change from −step to +step along a direction of one tensor, and the gradient's: both over the step as f32 really took it. */
function changes(
  inputs: AttentionInputs,
  at: { spec: VariantSpec; outputGradient: Float32Array; gradients: Gradients; tensor: Tensor; step: number },
) {
  const { spec, outputGradient, gradients, tensor, step } = at;
  const direction = noise(inputs[tensor].length, 17);
  const [low, high] = [-step, step].map((sign) => inputs[tensor].map((value, index) => value + sign * direction[index]!));
  const [before, beyond] = [low!, high!].map((values) => loss({ ...inputs, [tensor]: values }, spec, outputGradient));
  const gradient = gradients[tensor];
  assert.equal(gradient.length, inputs[tensor].length);
  let predicted = 0;
  let size = 0;
  for (let index = 0; index < gradient.length; index++) {
    const moved = high![index]! - low![index]!;
    predicted += gradient[index]! * moved;
    size += (gradient[index]! * moved) ** 2;
  }
  return { seen: beyond! - before!, predicted, size: Math.sqrt(size) };
}

const specs = [
  ...['dense.fused', 'dense.naive', 'dense.tiled', 'dense.flash', 'dense.math', 'dense.mha'],
  ...['topk.tiled:k=5', 'topk.tiled:keep=0.3', 'window.tiled:w=5,globals=2'],
  ...['grid-window.tiled:grid=4x5,w=3,globals=1', 'grid-window.tiled:grid=5x2x2,w=2,globals=1,time=past'],
  ...['gated.tiled', 'gated.tiled:form=log,sparsity=0.4', 'gated.tiled:tau=0.5', 'gated.tiled:block=4,sparsity=0.4'],
  ...['gated.tiled:form=query,tau=0.3', 'gated.tiled:form=output', 'gated.tiled:form=query,sparsity=0.4'],
  ...['gated.tiled:block=4,tau=0.4,form=log', 'hierarchical.batched:local=2,region=4,ratio=1:1:1', 'block-topk.blocks:block=4,blocks=3'],
  ...['linear.chunked', 'linear.chunked:rule=gated', 'linear.chunked:rule=delta', 'linear.chunked:rule=gated-delta,decay=0.8'],
];
interface Case {
  readonly queries: number;
  readonly keys: number;
  readonly causal: boolean;
  readonly mask: MaskKind;
  readonly bias?: BiasKind;
}

const cases: readonly Case[] = [
  { queries: 21, keys: 21, causal: true, mask: 'none' },
  { queries: 9, keys: 21, causal: false, mask: 'holes' },
  { queries: 21, keys: 21, causal: true, mask: 'left' },
  { queries: 9, keys: 21, causal: true, mask: 'holes', bias: 'elements' },
  { queries: 21, keys: 21, causal: false, mask: 'none', bias: 'heads' },
];
const takesBias = ({ variant, kernel }: VariantSpec) =>
  adapter.kernels.some((each) => each.variant === variant && each.kernel === kernel && each.takesBias === true);

for (const text of specs) {
  test(`torch-cpu ${text}: gradients are those of the float64 reference`, { skip }, async (context) => {
    const spec = parseVariant(text);
    for (const [seed, { mask, bias = 'none', ...lengths }] of cases.entries()) {
      if (bias !== 'none' && !takesBias(spec)) continue;
      const shape = { batch: 2, heads: 6, kvHeads: spec.kernel === 'mha' ? 6 : 2, headDim: 8, dtype: 'f32' as const, ...lengths };
      if (findVariant(spec.variant).refuses(spec.parameters, shape) !== undefined) continue;
      const inputs = createCaseInputs({ shape, mask, bias, values: 'normal', seed: seed + 1 });
      const outputGradient = noise(inputs.query.length, 5);
      const request = { backend: 'torch-cpu', variant: spec.variant, parameters: spec.parameters, kernel: spec.kernel! };
      const kernel = await shared.prepare({ ...request, inputs, outputGradient, purpose: 'latency' });
      if ('unsupported' in kernel) {
        assert.match(text, /^dense\.(fused|flash|math)$/, kernel.unsupported);
        return context.skip(kernel.unsupported);
      }
      await kernel.run();
      const gradients = await kernel.gradients!();
      await kernel.dispose();
      for (const tensor of tensors) {
        const { seen, predicted, size } = changes(inputs, { spec, outputGradient, gradients, tensor, step: 1e-4 });
        const miss = Math.abs(seen - predicted) / size;
        assert.ok(
          miss < 2e-3,
          `${tensor}, ${JSON.stringify(lengths)}, mask ${mask}, bias ${bias}: changes by ${seen}, the gradient says ${predicted}`,
        );
      }
    }
  });
}
