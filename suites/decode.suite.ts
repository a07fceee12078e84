import { defineSuite } from '../src/contract/suite.ts';

export default defineSuite({
  name: 'decode',
  description: 'new tokens behind a cache: one at a time, in a batch, several to verify, together with a prefill',
  matrix: {
    variants: ['dense.fused', 'dense.tiled', 'topk:k=32', 'window:w=256', 'hierarchical', 'block-topk'],
    backends: ['onnx-cpu'],
    shapes: ['q1s1k', 'q1s4k', '8q1s1k', 'q8s1k', 'q512_3q1s1k'],
  },
  sampleSeconds: 1,
});
