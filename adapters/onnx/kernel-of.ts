import type { KernelRequest, Unsupported } from '../../src/contract/adapter.ts';
import { logitRefusal } from '../../src/variants/reference.ts';
import type { KernelConfig, OnnxKernel } from './kernel.ts';
import { kernels, newerKernels } from './kernels/index.ts';

/** The kernel of a variant by name, or why there is none for a configuration. */
export function kernelOf({ variant, kernel: wanted }: { variant: string; kernel: string }, config: KernelConfig): OnnxKernel | Unsupported {
  const found = [...kernels, ...newerKernels].find((kernel) => kernel.variant === variant && kernel.kernel === wanted);
  if (found === undefined) return { unsupported: `the onnx adapter has no kernel ${variant}.${wanted}` };
  const { biased, softcap, sinks } = config;
  const refusal = logitRefusal(`${variant}.${wanted}`, found, { bias: biased || undefined, softcap, sinks: sinks || undefined });
  const unsupported = refusal ?? found.refuses?.(config);
  return unsupported === undefined ? found : { unsupported };
}

/** What a request's kernel is specialised for. */
export function configOf({ parameters, inputs: { shape, scale, softcap, mask, bias, sinks } }: KernelRequest): KernelConfig {
  return {
    parameters,
    heads: shape.heads,
    kvHeads: shape.kvHeads,
    headDim: shape.headDim,
    causal: shape.causal,
    selfAttention: shape.queries === shape.keys,
    masked: mask !== undefined,
    biased: bias !== undefined,
    softcap,
    sinks: sinks !== undefined,
    type: shape.dtype === 'f16' ? 'f16' : 'f32',
    scale,
  };
}
