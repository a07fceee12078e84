import type { z } from 'zod';
import type { ModelRequest } from '../contract/adapter.ts';
import type { CellSpec, dispatchSchema, errorSchema, latencySchema, memorySchema } from '../contract/cell.ts';

/** A cell, and what runs it. */
export interface CellRequest {
  readonly cell: CellSpec;
  /** URL of the adapter's module. */
  readonly adapterModule: string;
  readonly threads?: number;
}

/** A whole model, and what runs it. */
export interface ModelArmRequest extends ModelRequest {
  /** URL of the adapter's module. */
  readonly adapterModule: string;
}

/** What a worker process is asked: one stage of one cell. */
export interface StageRequest extends CellRequest {
  readonly stage: 'latency' | 'memory' | 'waste';
  readonly sampleSeconds: number;
  readonly wasteRows: number;
  readonly kernelScoredPairs?: number;
}

/** What it answers, once. */
export type StageAnswer =
  | { readonly outcome: 'unsupported'; readonly reason: string }
  | {
      readonly outcome: 'mismatch';
      readonly reason: string;
      readonly error: z.infer<typeof errorSchema>;
      readonly warnings: readonly string[];
    }
  | { readonly outcome: 'failed'; readonly reason: string }
  | {
      readonly outcome: 'latency';
      readonly latency: z.infer<typeof latencySchema>;
      readonly error: z.infer<typeof errorSchema>;
      readonly dispatch: z.infer<typeof dispatchSchema>;
      readonly warnings: readonly string[];
    }
  | { readonly outcome: 'memory'; readonly memory: z.infer<typeof memorySchema> }
  | { readonly outcome: 'waste'; readonly waste: unknown };
