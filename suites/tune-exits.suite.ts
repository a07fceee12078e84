import { defineTuning } from '../src/contract/tuning.ts';

export default defineTuning({
  name: 'tune-exits',
  description: 'how much time depth that follows the input saves on easy items, and what it costs on hard ones',
  task: 'hops.quick',
  model: { layers: 8, width: 64, heads: 2, hidden: 128, sharedLayers: true },
  candidates: ['dense'],
  space: { position: ['none'], exits: [0.9], layerCost: [null, 0.02] },
  items: { train: 12_800, validation: 256, test: 1280 },
  training: { epochs: 6, batch: 64 },
  search: { trials: 2, reduction: 10, seeds: 1 },
  qualityMargin: 0.01,
});
