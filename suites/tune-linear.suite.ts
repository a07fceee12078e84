import { defineTuning } from '../src/contract/tuning.ts';

export default defineTuning({
  name: 'tune-linear',
  description: 'whether a running state can recall values by key, as attention over all keys can',
  task: 'recall:pairs=4,length=64,keys=16,values=16',
  model: { layers: 2, width: 64, heads: 2, hidden: 128 },
  candidates: ['linear', 'linear:rule=gated', 'linear:rule=delta', 'linear:rule=gated-delta'],
  space: { learningRate: [3e-3] },
  items: { train: 3200, validation: 256, test: 512 },
  training: { epochs: 4, batch: 32 },
  search: { trials: 1, seeds: 3 },
});
