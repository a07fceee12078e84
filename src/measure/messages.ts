import type { z } from 'zod';
import type { ModelRequest } from '../contract/adapter.ts';
import type { DimensionSizes } from '../inputs/model-inputs.ts';
import type { Ceiling } from '../contract/run.ts';
import type { WasteReport } from '../waste/schema.ts';
import type { CellSpec, Energy, Workers, dispatchSchema, errorSchema, latencySchema, memorySchema } from '../contract/cell.ts';

/** A cell, and what runs it. */
export interface CellRequest {
  readonly cell: CellSpec;
  /** URL of the adapter's module. */
  readonly adapterModule: string;
  readonly threads?: number | undefined;
}

/** A whole model with its inputs, and what runs it. */
export interface ModelArmRequest extends ModelRequest {
  /** Path of the model's file; relative ones are the worker's. */
  readonly model: string;
  /** URL of the adapter's module. */
  readonly adapterModule: string;
  /** A safetensors file that holds every input by name, or how to draw them. */
  readonly feeds: { readonly file: string } | { readonly sizes: DimensionSizes; readonly seed: number };
}

/** What a worker process is asked: one stage of one cell, or one of a model. */
export interface CellStageRequest extends CellRequest {
  readonly stage: 'latency' | 'memory' | 'waste' | 'energy';
  readonly sampleSeconds: number;
  readonly wasteRows: number;
  readonly kernelScoredPairs?: number;
}
export interface ModelStageRequest extends ModelArmRequest {
  readonly stage: 'latency' | 'memory';
  readonly sampleSeconds: number;
}
/** What a backend can do at most. */
export interface CeilingsRequest {
  readonly stage: 'ceilings';
  readonly backend: string;
  /** URL of the adapter's module. */
  readonly adapterModule: string;
  readonly threads?: number | undefined;
}
export type StageRequest = CellStageRequest | ModelStageRequest | CeilingsRequest;

/** What a worker sends before it calls a cell's kernel; it goes on when it hears from its parent. */
export const readiness = { outcome: 'ready' } as const;

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
      /** Absent where it could not be measured; a warning then says why. */
      readonly waste?: WasteReport;
      readonly workers?: Workers;
      readonly warnings: readonly string[];
    }
  | { readonly outcome: 'model-latency'; readonly latency: z.infer<typeof latencySchema> }
  /** `residentBytes` is the resident peak of the process that computes; absent from versions that do not tell. */
  | { readonly outcome: 'memory'; readonly memory: z.infer<typeof memorySchema>; readonly residentBytes?: number }
  | { readonly outcome: 'waste'; readonly waste: WasteReport }
  | { readonly outcome: 'energy'; readonly energy: Energy }
  | { readonly outcome: 'ceilings'; readonly ceilings: readonly Ceiling[] };
