import { defineTuning } from '../src/contract/tuning.ts';

export default defineTuning({
  name: 'tune-exits',
  description: 'how much time depth that follows the input saves on easy items, and what it costs on hard ones',
  task: 'hops.quick',
  model: { layers: 5, width: 64, heads: 2, hidden: 64 },
  candidates: ['dense'],
  space: { position: ['none'], exits: [0.9], layerCost: [null, 0.02] },
  items: { train: 12_800, validation: 256, test: 320 },
  training: { epochs: 10, batch: 128, enough: 0.998 },
  search: { trials: 2, reduction: 10, seeds: 1 },
  qualityMargin: 0.01,
});
