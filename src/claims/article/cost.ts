import { kernelAlone, least, most, qualityKept, saving, wholeModel } from '../claim.ts';
import type { Claim } from '../claim.ts';
import { kernelPeakRatio } from '../kernels.ts';
import { anyAttention, attentionOf, exactAttention, modelRatio, pairsSaved, sparseAttention } from '../whole-model.ts';
import type { Attention } from '../whole-model.ts';

const gated = attentionOf((variant) => variant === 'gated');
/** The article's own gate, which depends on the query alone. */
const queryGated: Attention = (name) => gated(name) && /\bform=query\b/.test(name);
const gateBound = least(0.405);
/** A kernel's gate is not trained: what it drops was chosen. One that drops less than the article's could save no more than that. */
const droppingAsMuch: Attention = (name) => gated(name) && Number(/\bsparsity=([\d.]+)/.exec(name)?.[1]) >= gateBound.value;

export const gateCompute: Claim = {
  id: 'gate-compute',
  words: 'A learned gate saves 41 % of the attention computation.',
  figure: '41 %',
  unit: 'share',
  bound: gateBound,
  definitions: [
    {
      name: 'pairs',
      formula: `1 − pairs that the gate keeps / pairs of dense attention, trained, ${qualityKept}`,
      tuning: pairsSaved(gated),
    },
    {
      name: 'pairs, gate of queries',
      formula: 'the same with the article’s own gate, sigmoid(q·w): pairs of queries whose gate is open',
      tuning: pairsSaved(queryGated),
    },
    { name: 'model latency', formula: `1 − new / base, ${qualityKept}`, ...wholeModel('latency', gated, saving) },
    {
      name: 'kernel latency',
      formula: '1 − new / dense.fused, of an untrained gate that drops at least as large a share',
      ...kernelAlone('dense.fused', droppingAsMuch, saving),
    },
  ],
  missing: {
    reason: 'a gate must be trained, and no trained gate that keeps 98 % of the quality was measured',
    measure: { suite: 'tune-gates' },
  },
};

export const memory: Claim = {
  id: 'memory',
  words: 'At 4096 tokens, memory falls from 12 to 3.2 GB with 98 % of the quality kept.',
  figure: '12 → 3.2 GB',
  unit: 'share',
  bound: most(3.25 / 11.5),
  definitions: [
    {
      name: 'memory, sparse attention',
      formula: `new / base of the whole model at 4096 tokens, ${qualityKept}`,
      migration: modelRatio('memory', sparseAttention, 4096),
    },
    {
      name: 'memory, exact attention',
      formula: 'the same with another kernel of dense attention, which has the same outputs',
      migration: modelRatio('memory', exactAttention, 4096),
    },
    {
      name: 'kernel memory',
      formula: 'kernel / dense.naive at 4096 tokens',
      run: kernelPeakRatio('dense.naive', anyAttention, 4096),
    },
  ],
  missing: {
    reason: 'no candidate that keeps 98 % of the quality was compared at 4096 tokens',
    measure: { model: ['--lengths', '4096'] },
  },
};
