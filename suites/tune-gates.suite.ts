import { defineTuning } from '../src/contract/tuning.ts';

export default defineTuning({
  name: 'tune-gates',
  description: 'gates of pairs and of queries at the 41 % that the article saves, and a gate of outputs, in masked-language pre-training',
  task: 'mlm.quick',
  model: { layers: 2, width: 64, heads: 4, hidden: 256 },
  candidates: ['gated:sparsity=0.41', 'gated:form=query,sparsity=0.41', 'gated:form=output'],
  items: { train: 2560, validation: 256, test: 512 },
  training: { epochs: 8, batch: 32 },
  search: { trials: 1, seeds: 3 },
});
