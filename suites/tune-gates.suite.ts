import { defineTuning } from '../src/contract/tuning.ts';

export default defineTuning({
  name: 'tune-gates',
  description:
    'gates of pairs, of queries (the article’s) and of outputs, at the 41 % that the article saves, in masked-language pre-training',
  task: 'mlm.quick',
  model: { layers: 2, width: 64, heads: 4, hidden: 256 },
  candidates: ['gated:sparsity=0.41', 'gated:form=query,sparsity=0.41', 'gated:form=output,sparsity=0.41', 'gated:form=output'],
  space: { position: ['learned'], normPlacement: ['after'] },
  items: { train: 1600, validation: 256, test: 512 },
  training: { epochs: 16, batch: 32 },
  search: { trials: 1, seeds: 3 },
});
