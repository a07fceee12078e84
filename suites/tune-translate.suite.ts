import { defineTuning } from '../src/contract/tuning.ts';

export default defineTuning({
  name: 'tune-translate',
  description: 'which attention an encoder and its decoder can translate with, everywhere and across alone',
  task: 'translate.quick',
  model: { layers: 2, width: 64, heads: 4, hidden: 128 },
  candidates: ['window:w=4', 'topk:k=4', 'topk:k=4@cross', 'gated:sparsity=0.3'],
  space: { position: ['sinusoidal'] },
  items: { train: 3200, validation: 256, test: 512 },
  training: { epochs: 6, batch: 32, enough: 0.995 },
  search: { trials: 1, seeds: 3 },
});
