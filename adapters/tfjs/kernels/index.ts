import type { TfjsKernel } from '../kernel.ts';
import { blockTopkBlocks } from './block-topk-blocks.ts';
import { denseNaive } from './dense-naive.ts';
import { denseTiled } from './dense-tiled.ts';
import { gatedTiled } from './gated-tiled.ts';
import { gridWindowTiled } from './grid-window-tiled.ts';
import { hierarchicalBatched } from './hierarchical-batched.ts';
import { linearChunked } from './linear-chunked.ts';
import { topkTiled } from './topk-tiled.ts';
import { windowTiled } from './window-tiled.ts';

/** Every kernel of the adapter; the first of a variant is its default. */
export const kernels: readonly TfjsKernel[] = [
  denseTiled,
  denseNaive,
  topkTiled,
  windowTiled,
  gridWindowTiled,
  gatedTiled,
  hierarchicalBatched,
  blockTopkBlocks,
  linearChunked,
];
