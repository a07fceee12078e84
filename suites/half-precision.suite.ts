import { defineSuite } from '../src/contract/suite.ts';

export default defineSuite({
  name: 'half-precision',
  description: 'f32 against f16 and bf16, where a backend of this machine has them',
  matrix: {
    variants: ['dense.naive', 'dense', 'window:w=256', 'block-topk'],
    backends: ['*'],
    lengths: [1024],
    dtypes: ['f32', 'f16', 'bf16'],
  },
  reference: 'dense.naive',
  sampleSeconds: 1,
  wasteRows: 64,
});
