import { defineTuning } from '../src/contract/tuning.ts';

export default defineTuning({
  name: 'tune-guide',
  description: 'sparsity and rank of the gate, shares of local, regional and global heads, one at a time, on prose',
  task: 'prose.quick',
  model: { layers: 2, width: 64, heads: 4, hidden: 256 },
  candidates: [
    'gated:sparsity=0.2',
    'gated:sparsity=0.4',
    'gated:sparsity=0.6',
    'gated:sparsity=0.6,rank=1',
    'gated:sparsity=0.6,rank=16',
    'hierarchical:ratio=1:1:0',
    'hierarchical:ratio=1:0:1',
    'hierarchical:ratio=1:1:2',
  ],
  items: { train: 1600, validation: 128, test: 256 },
  training: { epochs: 8, batch: 16 },
  search: { trials: 1, seeds: 3 },
});
