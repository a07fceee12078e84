import type { ComparedFigure } from '../contract/verdict.ts';

/** What operations take where nothing is said, in one place for them and for the command line's help. */
export const defaults = {
  backend: 'onnx-cpu',
  /** Of models of PyTorch. */
  hostedBackend: 'torch-cpu',
  seed: 1,
  store: '.attnswap',
  metric: 'latency' as ComparedFigure,
  maxBlocks: 40,
  /** Blocks per cell of a calibration. */
  blocks: 20,
  /** The largest slowdown, or growth of memory, that passes: a share. */
  margin: 0.05,
  /** The largest loss of quality that passes: a share. */
  qualityMargin: 0.02,
  lengths: [128, 256, 512],
  candidates: ['dense.fused', 'dense.tiled', 'window:w=256', 'block-topk', 'topk:k=64'],
  /** Of the article's claims: those that name a length name 1024 or 4096 tokens. */
  claimsLengths: [1024, 4096],
  claimsCandidates: ['dense.fused', 'window:w=256'],
  /** Training of low-rank parts: steps by layer, then on the model's outputs. */
  recovery: { steps: 100, labels: 300, rank: 8, learningRate: 3e-3, patience: 3, ranks: 1 },
  /** Items of each length that quality is judged on. */
  items: 8,
  /** Assignments that tuning may measure. */
  evaluations: 24,
  /** Blocks of a migration's or a tuning's last comparison. */
  finalBlocks: 10,
  /** Of predictions for a declared device. */
  whatif: {
    variants: ['dense', 'window:w=256', 'block-topk', 'topk:k=64', 'gated:block=64,sparsity=0.4'],
    lengths: [512, 1024, 2048, 4096],
  },
  cell: { length: 1024, inputs: 'calibrated', causal: true, dtype: 'f32', batch: 1, heads: 8, headDim: 64 },
  /** Of an audit: the longest length, rounds at most, and threads inside one operator. */
  auditLength: 4096,
  auditRounds: 6,
  auditThreads: 1,
  /** What a Python function may be given; the first where nothing is said. */
  arrays: ['torch', 'numpy'],
  /** Of a fleet: a host's private key, the public keys that are believed, and where records are fetched to. */
  fleetKey: '.attnswap/fleet-key.pem',
  fleetTrust: '.attnswap/fleet-trust',
  fleetRuns: 'runs',
  /** Without a sign of life a host counts as lost after so long, and a run is given up. */
  lostAfterSeconds: 60,
  giveUpSeconds: 120,
  /** Rows that `waste` measures. */
  rows: 512,
} as const;
