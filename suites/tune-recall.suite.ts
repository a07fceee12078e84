import { defineTuning } from '../src/contract/tuning.ts';

export default defineTuning({
  name: 'tune-recall',
  description: 'which attention can recall values by key over a gap that windows cannot reach',
  task: 'recall:pairs=4,length=64,keys=16,values=16',
  model: { layers: 2, width: 64, heads: 2, hidden: 128 },
  candidates: ['window:w=16', 'topk:k=8', 'block-topk:block=8,blocks=4', 'gated:sparsity=0.3'],
  space: { learningRate: [3e-3], techniques: [[], ['sparsify']] },
  items: { train: 6400, validation: 256, test: 512 },
  training: { epochs: 8, batch: 64, enough: 0.999 },
  search: { trials: 2, seeds: 3 },
  smaller: { items: { train: 3200 }, training: { epochs: 4, batch: 32 }, search: { trials: 1 } },
});
