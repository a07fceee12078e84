import { defineSuite } from '../src/contract/suite.ts';

export default defineSuite({
  name: 'backends',
  description: 'every variant but linear and grid-window at one length on every available backend, with the same inputs and checks',
  matrix: {
    variants: ['dense.naive', 'dense', 'topk:k=32', 'window:w=256', 'gated', 'hierarchical', 'block-topk'],
    backends: ['*'],
    lengths: [512],
  },
  // The only kernel that all backends have.
  reference: 'dense.naive',
  sampleSeconds: 0.5,
  wasteRows: 64,
});
