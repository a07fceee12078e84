import type { KernelDescription } from '../../src/contract/adapter.ts';
import { findVariant } from '../../src/variants/index.ts';
import {
  blockTopkPairs,
  flexPairs,
  fusedCausalPairs,
  gatedPairs,
  gridWindowPairs,
  hierarchicalPairs,
  linearPairs,
  tiledPairs,
  windowPairs,
} from './scored-pairs.ts';

type Counter = KernelDescription['scoredPairs'];

const all: Counter = (_parameters, { batch, heads, queries, keys }) => batch * heads * queries * keys;
const tiled: Counter = (_parameters, shape) => tiledPairs(shape);
const costOf =
  (variant: string): Counter =>
  (parameters, shape) =>
    findVariant(variant).cost(parameters, shape).scoredPairs;

/** Where its causal flag serves, scaled_dot_product_attention skips blocks that causality hides, on GPUs of unknown size; with a mask it computes all. */
const fused: Counter = (parameters, shape, backend) => {
  if (!shape.causal || shape.queries !== shape.keys) return all(parameters, shape);
  return backend === 'torch-cuda' ? costOf('dense')(parameters, shape) : fusedCausalPairs(shape);
};

const cudaOnly = { 'torch-cpu': 'this kernel requires a CUDA device' };

/** As the worker's own catalogue lists them (worker/attnswap_torch/catalogue.py): a test compares the two. */
export const kernels: readonly KernelDescription[] = [
  {
    variant: 'dense',
    kernel: 'fused',
    summary: 'scaled_dot_product_attention with the backend that PyTorch chooses',
    takesBias: true,
    scoredPairs: fused,
  },
  {
    variant: 'dense',
    kernel: 'naive',
    summary: 'matmul, softmax, matmul: the n² logits are written out',
    takesBias: true,
    scoredPairs: all,
  },
  {
    variant: 'dense',
    kernel: 'tiled',
    summary: 'matmul, softmax, matmul over tiles of 128 queries',
    takesBias: true,
    scoredPairs: tiled,
  },
  { variant: 'dense', kernel: 'flash', summary: "scaled_dot_product_attention's flash backend", scoredPairs: fused },
  {
    variant: 'dense',
    kernel: 'efficient',
    summary: "scaled_dot_product_attention's memory-efficient backend",
    lacking: cudaOnly,
    scoredPairs: fused,
  },
  { variant: 'dense', kernel: 'cudnn', summary: "scaled_dot_product_attention's cuDNN backend", lacking: cudaOnly, scoredPairs: fused },
  {
    variant: 'dense',
    kernel: 'math',
    summary: "scaled_dot_product_attention's math backend: the n² logits are written out",
    scoredPairs: all,
  },
  { variant: 'dense', kernel: 'compiled', summary: 'softmax(q·kᵀ/√d + mask)·v through torch.compile', scoredPairs: all },
  {
    variant: 'dense',
    kernel: 'compiled-naive',
    summary: 'dense.naive, which scales q first, through torch.compile',
    scoredPairs: all,
  },
  {
    variant: 'dense',
    kernel: 'flex',
    summary: 'flex_attention, compiled, with a block mask',
    scoredPairs: (_, shape) => flexPairs(shape),
  },
  {
    variant: 'dense',
    kernel: 'mha',
    summary: 'nn.MultiheadAttention: in evaluation it writes the n² logits out, in training it does not',
    scoredPairs: all,
  },
  {
    variant: 'topk',
    kernel: 'tiled',
    summary: 'tiles of 128 queries: topk of their logits, then only the kept values',
    takesBias: true,
    scoredPairs: tiled,
  },
  {
    variant: 'window',
    kernel: 'tiled',
    summary: 'blocks of queries against the span of keys around them',
    takesBias: true,
    scoredPairs: (parameters, shape) => windowPairs(Number(parameters['w']), Number(parameters['globals']), shape),
  },
  {
    variant: 'window',
    kernel: 'flex',
    summary: 'flex_attention, compiled, with a block mask of the window',
    scoredPairs: ({ w, globals }, shape) => flexPairs(shape, { w: Number(w), globals: Number(globals) }),
  },
  {
    variant: 'grid-window',
    kernel: 'tiled',
    summary: 'boxes of the grid against the boxes of keys around them',
    scoredPairs: gridWindowPairs,
  },
  {
    variant: 'gated',
    kernel: 'tiled',
    summary: 'tiles of 128 queries; by block: only the kept blocks; form=query or output: only open queries',
    scoredPairs: gatedPairs,
  },
  { variant: 'hierarchical', kernel: 'batched', summary: 'each level of heads in a few batched products', scoredPairs: hierarchicalPairs },
  {
    variant: 'block-topk',
    kernel: 'blocks',
    summary: 'the kept blocks of keys, gathered, in batched products',
    scoredPairs: blockTopkPairs,
  },
  {
    variant: 'linear',
    kernel: 'chunked',
    summary: 'chunks of 64 positions: products within a chunk, a state between chunks',
    scoredPairs: linearPairs,
  },
];
