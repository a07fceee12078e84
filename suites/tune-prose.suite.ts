import { defineTuning } from '../src/contract/tuning.ts';

export default defineTuning({
  name: 'tune-prose',
  description: 'bits per character of a novel after equal training, and what tuning recovers',
  task: 'prose.quick',
  model: { layers: 2, width: 64, heads: 4, hidden: 256 },
  candidates: ['window:w=16', 'hierarchical', 'topk:k=16', 'gated:sparsity=0.3'],
  space: { learningRate: [3e-3], techniques: [[], ['distil']] },
  items: { train: 1600, validation: 128, test: 256 },
  training: { epochs: 8, batch: 16 },
  search: { trials: 2, seeds: 3 },
});
