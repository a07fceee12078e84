import { defineSuite } from '../src/contract/suite.ts';

export default defineSuite({
  name: 'inputs',
  description: 'gaussian compared with calibrated inputs: where rankings by waste and missed mass flip',
  matrix: {
    variants: ['dense.fused', 'topk:k=32', 'window:w=256', 'gated:block=64,sparsity=0.4', 'hierarchical', 'block-topk'],
    backends: ['onnx-cpu'],
    lengths: [1024],
    inputs: ['gaussian', 'calibrated'],
  },
  sampleSeconds: 1,
});
