import type { OnnxKernel } from '../kernel.ts';
import { blockTopkBlocks } from './block-topk-blocks.ts';
import { denseNaive } from './dense-naive.ts';
import { denseFused, denseMha } from './dense-operators.ts';
import { denseTiled } from './dense-tiled.ts';
import { gatedTiled } from './gated-tiled.ts';
import { gridWindowTiled } from './grid-window-tiled.ts';
import { hierarchicalBatched } from './hierarchical-batched.ts';
import { linearChunked } from './linear-chunked.ts';
import { linearFused, linearStandard } from './linear-fused.ts';
import { topkTiled } from './topk-tiled.ts';
import { windowTiled } from './window-tiled.ts';

/** Every kernel of the adapter; the first of a variant is its default. */
export const kernels: readonly OnnxKernel[] = [
  denseFused,
  denseNaive,
  denseTiled,
  denseMha,
  topkTiled,
  windowTiled,
  gridWindowTiled,
  gatedTiled,
  hierarchicalBatched,
  blockTopkBlocks,
  linearFused,
  linearChunked,
];

/** Kernels on standard operators that ONNX Runtime for Node does not know yet: for other runtimes of ONNX models. */
export const newerKernels: readonly OnnxKernel[] = [linearStandard];
