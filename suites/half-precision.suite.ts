import { defineSuite } from '../src/contract/suite.ts';

export default defineSuite({
  name: 'half-precision',
  description: 'f32 compared with f16 and bf16, on backends that support them',
  matrix: {
    variants: ['dense.naive', 'dense', 'window:w=256', 'block-topk'],
    backends: ['*'],
    lengths: [1024],
    dtypes: ['f32', 'f16', 'bf16'],
  },
  // bf16 keeps eight bits of the scores that select blocks: half of the rows would be near ties, and no output could be judged.
  exclude: [{ variant: 'block-topk', dtype: 'bf16' }],
  reference: 'dense.naive',
  sampleSeconds: 1,
  wasteRows: 64,
});
