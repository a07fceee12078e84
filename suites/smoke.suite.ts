import { defineSuite } from '../src/contract/suite.ts';

export default defineSuite({
  name: 'smoke',
  description: 'every variant at two short lengths: does everything run and match the reference?',
  matrix: {
    variants: [
      'dense.fused',
      'dense.naive',
      'topk:k=32',
      'window:w=256',
      'gated',
      'hierarchical',
      'block-topk',
      'linear',
      'linear:rule=gated-delta',
    ],
    backends: ['onnx-cpu'],
    lengths: [256, 512],
  },
  sampleSeconds: 0.25,
  wasteRows: 64,
});
