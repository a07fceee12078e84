import { defineTuning } from '../src/contract/tuning.ts';

export default defineTuning({
  name: 'tune-prose',
  description: 'bits per character of a novel under each attention, and what joint tuning gets back of the plain swap',
  task: 'prose.quick',
  model: { layers: 2, width: 64, heads: 4, hidden: 256 },
  candidates: ['window:w=32', 'hierarchical', 'topk:k=16', 'gated:sparsity=0.3'],
  space: { learningRate: [3e-3], techniques: [[], ['distil']], start: ['drawn', 'baseline'] },
  items: { train: 6_400, validation: 256, test: 512 },
  training: { epochs: 6, batch: 32 },
  search: { trials: 2, seeds: 3 },
});
