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
  // Blocks are chosen by scores of which bf16 keeps eight bits: half of the rows are near ties, and no output could be judged.
  exclude: [{ variant: 'block-topk', dtype: 'bf16' }],
  reference: 'dense.naive',
  sampleSeconds: 1,
  wasteRows: 64,
});
