import { defineTuning } from '../src/contract/tuning.ts';

export default defineTuning({
  name: 'tune-clips',
  description: 'moving digits, with windows over space and time: one that cannot reach the frames that move, and two that can',
  task: 'clips.quick',
  model: { layers: 2, width: 64, heads: 2, hidden: 128 },
  candidates: ['grid-window:grid=5x5x5,w=2x5x5', 'grid-window:grid=5x5x5,w=3x5x5', 'grid-window:grid=5x5x5,w=3', 'topk:k=27'],
  space: { position: ['learned'] },
  items: { train: 6400, validation: 512, test: 900 },
  training: { epochs: 1, batch: 16 },
  search: { trials: 1, seeds: 3 },
});
