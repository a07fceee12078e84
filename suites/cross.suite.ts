import { defineSuite } from '../src/contract/suite.ts';

export default defineSuite({
  name: 'cross',
  description: 'queries and keys of different sequences: tokens over 1500 frames of speech, pixels over 77 tokens of a prompt',
  matrix: {
    variants: ['dense.fused', 'dense.tiled', 'dense.naive', 'topk:k=32'],
    backends: ['onnx-cpu'],
    shapes: ['q1s1500', 'q64s1500', 'q4ks77'],
    causal: [false],
  },
  sampleSeconds: 1,
});
