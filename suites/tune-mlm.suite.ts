import { defineTuning } from '../src/contract/tuning.ts';

export default defineTuning({
  name: 'tune-mlm',
  description: 'masked-language pre-training: steps of a gate with both techniques, and of dense attention, to the same loss',
  task: 'mlm.quick',
  model: { layers: 2, width: 64, heads: 4, hidden: 256 },
  candidates: ['gated:sparsity=0.3'],
  space: { techniques: [['sparsify', 'distil']] },
  items: { train: 2560, validation: 256, test: 512 },
  training: { epochs: 8, batch: 32 },
  search: { trials: 1, seeds: 3 },
});
