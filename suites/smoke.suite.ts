import { defineSuite } from '../src/contract/suite.ts';

/** Each is defined for one of the lengths alone. */
const grids = ['grid-window:grid=16x16', 'grid-window:grid=16x32'];

export default defineSuite({
  name: 'smoke',
  description: 'every variant at two short lengths: does everything run and match the reference?',
  matrix: {
    variants: [
      'dense.fused',
      'dense.naive',
      'topk:k=32',
      'window:w=256',
      ...grids,
      'gated',
      'hierarchical',
      'block-topk',
      'linear',
      'linear:rule=gated-delta',
    ],
    backends: ['onnx-cpu'],
    lengths: [256, 512],
  },
  exclude: [512, 256].map((length, grid) => ({ variant: grids[grid]!, length })),
  sampleSeconds: 0.25,
  wasteRows: 64,
});
