import { gain, kernelAlone, least, most, qualityKept, speedUp, wholeModel } from '../claim.ts';
import type { Claim } from '../claim.ts';
import { cyclesOfGates, halfPrecisionSpeedUp } from '../kernels.ts';
import { anyAttention, attentionOf, exactAttention, sparseAttention } from '../whole-model.ts';

const hierarchical = attentionOf((variant) => variant === 'hierarchical');
const untimed = 'no candidate that keeps 98 % of the quality was timed';
/** Keeps the quality of every model. */
const exactKernel = { model: ['--candidate', 'dense.fused'] };

export const hierarchicalSpeed: Claim = {
  id: 'hierarchical-speed',
  words: 'Hierarchical attention is 3 times as fast.',
  figure: '3×',
  unit: 'factor',
  bound: least(2.5),
  definitions: [
    { name: 'model latency', formula: `base / new, ${qualityKept}`, ...wholeModel('latency', hierarchical, speedUp) },
    {
      name: 'kernel vs dense.fused',
      formula: 'dense.fused / hierarchical',
      ...kernelAlone('dense.fused', hierarchical, speedUp),
    },
    {
      name: 'kernel vs dense.naive',
      formula: 'dense.naive / hierarchical',
      ...kernelAlone('dense.naive', hierarchical, speedUp),
    },
  ],
  missing: { reason: untimed, measure: { suite: 'longest' } },
};

export const halfPrecision: Claim = {
  id: 'half-precision',
  words: 'Half precision makes attention 3 times as fast.',
  figure: '3×',
  unit: 'factor',
  bound: least(2.5),
  definitions: [{ name: 'kernel latency', formula: 'f32 / f16, or f32 / bf16, of the same kernel', run: halfPrecisionSpeedUp }],
  missing: {
    reason: 'no kernel was measured in both precisions: a backend must support both, which onnx-cpu does not',
    measure: { suite: 'half-precision' },
  },
};

export const oneCycle: Claim = {
  id: 'one-cycle',
  words: 'Hardware opens or closes a gate in one clock cycle.',
  figure: '1 cycle',
  unit: 'cycles',
  bound: most(1.5),
  definitions: [
    {
      name: 'processor cycles per gate',
      formula: '(latency of gated.tiled − dense.tiled) · clock · cores / pairs: for a processor, not a dedicated circuit',
      run: cyclesOfGates,
    },
  ],
  missing: {
    reason:
      'no gated kernel was measured together with dense.tiled on a machine that reports its clock speed; circuits are not measured at all',
    measure: { suite: 'lengths' },
  },
};

export const throughput: Claim = {
  id: 'throughput',
  words: 'Attention that fits its hardware raises throughput by 40 %.',
  figure: '40 %',
  unit: 'share',
  bound: least(0.395),
  definitions: [
    {
      name: 'model throughput',
      formula: 'base / new − 1, latencies; the same attention by another kernel',
      ...wholeModel('latency', exactAttention, gain),
    },
    {
      name: 'kernel throughput',
      formula: 'dense.naive / kernel − 1, latencies; dense attention alone',
      ...kernelAlone('dense.naive', exactAttention, gain),
    },
  ],
  missing: { reason: untimed, measure: exactKernel },
};

export const efficiency: Claim = {
  id: 'efficiency',
  words: 'Efficiency rises 3 to 5 times.',
  figure: '3–5×',
  unit: 'factor',
  bound: least(3),
  definitions: [
    { name: 'model latency', formula: `base / new, ${qualityKept}`, ...wholeModel('latency', anyAttention, speedUp) },
    { name: 'model memory', formula: `base / new, ${qualityKept}`, ...wholeModel('memory', anyAttention, speedUp) },
    {
      name: 'kernel vs dense.fused',
      formula: 'dense.fused / kernel',
      ...kernelAlone('dense.fused', sparseAttention, speedUp),
    },
    {
      name: 'kernel vs dense.naive',
      formula: 'dense.naive / kernel',
      ...kernelAlone('dense.naive', anyAttention, speedUp),
    },
  ],
  missing: { reason: untimed, measure: exactKernel },
};
