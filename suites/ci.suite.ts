import { defineSuite } from '../src/contract/suite.ts';

export default defineSuite({
  name: 'ci',
  description: 'a gate that fits in five minutes on two cores',
  matrix: {
    variants: ['dense.fused', 'window:w=128', 'block-topk'],
    backends: ['onnx-cpu'],
    lengths: [256, 640, 1536],
  },
  // Only how the window's memory grows is asked of 1536.
  exclude: [
    { variant: 'window:w=128', length: 256 },
    { variant: 'dense.fused', length: 1536 },
    { variant: 'block-topk', length: 1536 },
  ],
  gates: [
    { select: { length: 640 }, metric: 'latency', margin: 0.1 },
    { select: { length: 640 }, metric: 'peak-memory', margin: 0.1, absoluteFloor: 1e6 },
    { select: { variant: 'window:w=128' }, metric: 'memory-growth', margin: 0.25 },
    { select: { variant: 'window:w=128', length: 640 }, metric: 'waste', margin: 0.01 },
    { metric: 'error', margin: 1, absoluteFloor: 1e-6 },
    { metric: 'scored-pairs', margin: 0 },
    { select: { variant: 'window:w=128', length: 640 }, metric: 'ratio-to-reference', limit: 0.9 },
  ],
  sampleSeconds: 0.5,
});
