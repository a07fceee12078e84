import { defineSuite } from '../src/contract/suite.ts';

export default defineSuite({
  name: 'backends',
  description: 'every variant at one length on every backend that runs here: the same inputs, check and measuring on all',
  matrix: {
    variants: ['dense.naive', 'dense', 'topk:k=32', 'window:w=256', 'gated', 'hierarchical', 'block-topk'],
    backends: ['*'],
    lengths: [512],
  },
  // The one kernel that all have.
  reference: 'dense.naive',
  sampleSeconds: 0.5,
  wasteRows: 64,
});
