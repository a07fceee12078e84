import { defineSuite } from 'attnswap';

// Run it:   attnswap bench ./my.suite.ts
// Judge it: attnswap gate ./my.suite.ts --base-dir ../base
export default defineSuite({
  name: 'mine',
  // Every combination of these is a cell. `attnswap list` shows variants, their parameters, and backends.
  matrix: {
    variants: ['dense.fused', 'window:w=128', 'topk:k=32'],
    backends: ['onnx-cpu'], // '*' is every backend that runs here
    lengths: [512, 2048],
    causal: [true],
    inputs: ['calibrated'], // or 'gaussian', or 'captured:<file>' from attnswap capture
    heads: 8,
    headDim: 64,
  },
  // Cells that match every field of an exclusion are left out.
  exclude: [{ variant: 'topk:k=32', length: 2048 }],
  // What `attnswap gate` decides; the most specific gate of a metric judges a cell.
  gates: [
    { metric: 'latency', margin: 0.1 }, // at most 10 % slower than the base
    { select: { length: 2048 }, metric: 'peak-memory', margin: 0.05 },
    { metric: 'scored-pairs', margin: 0 },
  ],
});
