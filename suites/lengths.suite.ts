import { defineSuite } from '../src/contract/suite.ts';

export default defineSuite({
  name: 'lengths',
  description: 'every variant for sequences and every dense kernel at 512 to 4096 tokens, causal, on calibrated inputs',
  matrix: {
    variants: [
      'dense.fused',
      'dense.mha',
      'dense.tiled',
      'dense.naive',
      'topk:k=32',
      'window:w=256',
      'gated',
      'gated:block=64,sparsity=0.4',
      'hierarchical',
      'block-topk:block=64,blocks=8',
      'linear',
      'linear:rule=gated',
      'linear:rule=delta',
      'linear:rule=gated-delta',
    ],
    backends: ['onnx-cpu'],
    lengths: [512, 1024, 2048, 4096],
  },
  sampleSeconds: 1.5,
});
