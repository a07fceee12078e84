import { defineTuning } from '../src/contract/tuning.ts';

export default defineTuning({
  name: 'tune-induction',
  description: 'which attention can copy over a gap that windows cannot reach',
  task: 'induction.quick',
  model: { layers: 2, width: 64, heads: 2, hidden: 128 },
  candidates: ['window:w=16', 'topk:k=8', 'block-topk:block=8,blocks=4', 'hierarchical'],
  space: { learningRate: [3e-3, 2e-3], techniques: [[], ['sparsify']] },
  items: { train: 12_800, validation: 256, test: 512 },
  training: { epochs: 6, batch: 64, enough: 0.999 },
  search: { trials: 2, seeds: 3 },
  smaller: { items: { train: 6400 }, training: { batch: 32 }, search: { trials: 1 } },
});
