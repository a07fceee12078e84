import type { AttentionInputs } from './inputs.ts';
import type { Shape } from './shape.ts';
import type { Span } from './span.ts';
import type { Tensors } from './tensor.ts';
import type { OptimizerOptions } from './training.ts';
import type { Parameters } from './variant.ts';

/** A call of attention in a running model. */
export interface SeenCall extends Omit<Shape, 'causal' | 'dtype'> {
  /** Of queries and keys, and of values, where they differ: `headDim` is the wider. */
  readonly widths?: { readonly keys: number; readonly values: number } | undefined;
  readonly scale: number;
  /** `f32`, `f16` or `bf16`; else what the runtime calls it. */
  readonly dtype: string;
  /** Null of a single query, of which nothing tells, and where what is added to the logits alone tells. */
  readonly causal: boolean | null;
  /** Whether keys were hidden from all queries. */
  readonly padded: boolean;
  /** The keys around its own that a query sees, where the model says so. */
  readonly window?: Span | undefined;
  /** Whether something else was added to the logits. */
  readonly biased: boolean;
  /** Why no kernel can take its place. */
  readonly refused?: string | undefined;
}

/** A module that attends, with its calls in one run of the model, in order. */
export interface SeenModule {
  readonly module: string;
  readonly calls: readonly SeenCall[];
}

/** What a call of attention read, and what it gave. */
export interface CapturedAttention extends AttentionInputs {
  readonly module: string;
  /** `[batch, heads, queries, headDim]`. */
  readonly output: Float32Array;
}

/** Other attention in the place of a module's own. */
export interface PlacedAttention {
  readonly variant: string;
  readonly kernel: string;
  readonly parameters: Parameters;
  /** Multiplies the logits' scale. */
  readonly scaleFactor?: number | undefined;
  /** Whether the module's calls with several queries are causal, and so those with a single one; absent where no call told. */
  readonly causal?: boolean | undefined;
}

/** By name of the module. */
export type PlacedAttentions = Readonly<Record<string, PlacedAttention>>;

/** Some steps of training low-rank parts of the linear maps in attention modules, until new attention gives what the model's own gives. */
export interface AdapterTraining {
  /** `transfer`: what each module gives, on what it reads in the original; `labels`: what the whole model gives. */
  readonly objective: 'transfer' | 'labels';
  /** Paths of tensor files, a batch for each step. */
  readonly items: readonly string[];
  /** Items per step; a multiple of the number of ranks. */
  readonly batch: number;
  readonly rank: number;
  /** Of the first weights. */
  readonly seed: number;
  readonly optimizer: OptimizerOptions;
  /** Path of the state to go on from; null at the start. */
  readonly state: string | null;
  /** Path of the state after these steps; null where it is not kept. */
  readonly output: string | null;
}

/** What some steps of a training took of one process. */
export interface TrainingCost {
  readonly elapsedNs: number;
  /** Time in communication with other ranks, which may overlap computation on a GPU; null of a process that is alone. */
  readonly communicationNs: number | null;
  /** Largest memory held: of the GPU's allocator, or resident in the whole process; null where the system does not tell. */
  readonly peakBytes: number | null;
  /** Parameters that are not trained. */
  readonly frozenBytes: number;
  readonly trainedBytes: number;
  readonly gradientBytes: number;
  readonly optimizerBytes: number;
}

/** What some steps of a training gave. */
export interface TrainedSteps {
  /** The mean loss of each batch. */
  readonly losses: readonly number[];
  /** Trained numbers. */
  readonly parameters: number;
}

/** Processes that train one model together, each with a share of its parameters, gradients and optimizer state; or one process that trains it alone. */
export interface Ranks {
  /** By rank. */
  readonly pids: readonly number[];
  /**
   * Trains; all trainings are of attention at the same modules.
   * @throws UNSUPPORTED for what cannot be trained; WORKER_FAILED where a process ended. After either, all are gone.
   */
  train(placed: PlacedAttentions, training: AdapterTraining): Promise<TrainedSteps & { readonly costs: readonly TrainingCost[] }>;
  /** Ends them at once. */
  dispose(): Promise<void>;
}

/** The attention of a model that its runtime looks into. */
export interface ModelAttention {
  /** The model's class. */
  readonly model: string;
  /** What its attention is computed by, as its runtime calls that; null where it has no name. */
  readonly implementation: string | null;
  /** Tokens of the longest sequence that it takes; null where that is not known. */
  readonly longest: number | null;
  /** Why a decoder cannot be given its cache; null where it can, or where the model has none. */
  readonly undecoded: string | null;
  /** Runs the model once. @throws UNSUPPORTED where it needs of its attention what no other gives */
  sites(feeds: Tensors): Promise<{
    readonly sites: readonly SeenModule[];
    /** Attention that went past what the runtime can look into: file and line, and what was called. */
    readonly elsewhere: ReadonlyArray<{ readonly where: string; readonly what: string }>;
    /** Whether the model gave, bit for bit, what it gives when nobody looks. */
    readonly faithful: boolean;
  }>;
  /** Runs the model once; calls in order. */
  capture(feeds: Tensors, modules: readonly string[]): Promise<readonly CapturedAttention[]>;
  /** Puts other attention at some modules, and the model's own at all others; with the parts in a file of {@link AdapterTraining}'s. @throws UNSUPPORTED */
  swap(placed: PlacedAttentions, adapters?: string): Promise<void>;
  /** Trains, and leaves the model as it was opened. */
  train(placed: PlacedAttentions, training: AdapterTraining): Promise<TrainedSteps>;
  /** What must not change when attention does: how many modules and tensors there are, and a SHA-256 of them. */
  proof(): Promise<{ readonly modules: number; readonly tensors: number; readonly sha256: string }>;
  /** Writes what puts the same attention into the same model without attnswap. */
  save(folder: string, saving: SavedAttention): Promise<void>;
}

/** What is written for those who load the model. */
export interface SavedAttention {
  readonly placed: PlacedAttentions;
  /** As of {@link ModelAttention.swap}. */
  readonly adapters?: string | undefined;
  /** The original's path. */
  readonly source: string;
  /** Of attnswap. */
  readonly version: string;
}
