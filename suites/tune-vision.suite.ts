import { defineTuning } from '../src/contract/tuning.ts';

export default defineTuning({
  name: 'tune-vision',
  description: 'handwritten digits in patches of 2 × 2 pixels, with windows of one and two axes, and the sparsity of the gate varied',
  task: 'digits:side=14,patch=2',
  model: { layers: 2, width: 64, heads: 2, hidden: 128 },
  candidates: [
    'window:w=4',
    'grid-window:grid=7x7,w=3,globals=1',
    'hierarchical',
    'gated:sparsity=0.3',
    'gated:sparsity=0.4',
    'gated:sparsity=0.5',
  ],
  space: { position: ['learned'] },
  items: { train: 6400, validation: 512, test: 900 },
  training: { epochs: 3, batch: 32 },
  search: { trials: 1, seeds: 3 },
});
