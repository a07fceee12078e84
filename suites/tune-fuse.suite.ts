import { defineTuning } from '../src/contract/tuning.ts';

export default defineTuning({
  name: 'tune-fuse',
  description: 'which attention can answer questions about a picture, everywhere and from questions to picture alone',
  task: 'fuse.quick',
  model: { layers: 2, width: 64, heads: 4, hidden: 128 },
  candidates: ['window:w=8', 'window:w=8@cross', 'topk:k=4', 'topk:k=4@cross'],
  space: { position: ['sinusoidal'] },
  items: { train: 6400, validation: 256, test: 512 },
  training: { epochs: 3, batch: 32, enough: 0.999 },
  search: { trials: 1, seeds: 3 },
  smaller: { items: { train: 3200 } },
});
