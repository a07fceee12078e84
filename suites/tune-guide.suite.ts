import { defineTuning } from '../src/contract/tuning.ts';

export default defineTuning({
  name: 'tune-guide',
  description: 'tune-prose with one parameter varied at a time: gate sparsity, gate rank, ratio of heads',
  task: 'prose.quick',
  model: { layers: 2, width: 64, heads: 4, hidden: 256 },
  candidates: [
    'gated:sparsity=0.5',
    'gated:sparsity=0.75',
    'gated:rank=1,sparsity=0.75',
    'gated:rank=16,sparsity=0.75',
    'hierarchical:ratio=1:1:0',
    'hierarchical:ratio=1:0:1',
    'hierarchical:ratio=1:1:2',
  ],
  items: { train: 1600, validation: 128, test: 256 },
  training: { epochs: 8, batch: 16 },
  search: { trials: 1, seeds: 3 },
});
