import { defineTuning } from '../src/contract/tuning.ts';

export default defineTuning({
  name: 'tune-techniques',
  description: 'steps saved by progressive sparsification and distillation, each left out in turn',
  task: 'recall:pairs=4,length=64,keys=16,values=16',
  model: { layers: 2, width: 64, heads: 2, hidden: 128 },
  candidates: ['topk:k=8', 'gated:sparsity=0.3'],
  space: { learningRate: [3e-3], techniques: [['sparsify', 'distil']] },
  items: { train: 3200, validation: 256, test: 512 },
  training: { epochs: 16, batch: 64, enough: 0.999 },
  search: { trials: 1, seeds: 3 },
});
