import type { Adapter } from '../../src/contract/adapter.ts';
import { adapter as measured } from './adapter.ts';
import { kernelGraph } from './kernel-graph.ts';

/** The adapter for all that is not measured: it also builds the graphs of kernels for models. */
export const adapter: Adapter = { ...measured, kernelGraph };
