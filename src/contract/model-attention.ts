import type { AttentionInputs } from './inputs.ts';
import type { Shape } from './shape.ts';
import type { Tensors } from './tensor.ts';
import type { Parameters } from './variant.ts';

/** A call of attention in a running model. */
export interface SeenCall extends Omit<Shape, 'causal' | 'dtype'> {
  readonly scale: number;
  /** `f32`, `f16` or `bf16`; else what the runtime calls it. */
  readonly dtype: string;
  /** Null of a single query, of which nothing tells. */
  readonly causal: boolean | null;
  /** Whether keys were hidden from all queries. */
  readonly padded: boolean;
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
}

/** By name of the module. */
export type PlacedAttentions = Readonly<Record<string, PlacedAttention>>;

/** The attention of a model that its runtime looks into. */
export interface ModelAttention {
  /** The model's class. */
  readonly model: string;
  /** What its attention is computed by, as its runtime calls that; null where it has no name. */
  readonly implementation: string | null;
  /** Tokens of the longest sequence that it takes; null where that is not known. */
  readonly longest: number | null;
  /** Runs the model once. */
  sites(feeds: Tensors): Promise<{
    readonly sites: readonly SeenModule[];
    /** Attention that went past what the runtime can look into: file and line, and what was called. */
    readonly elsewhere: ReadonlyArray<{ readonly where: string; readonly what: string }>;
    /** Whether the model gave, bit for bit, what it gives when nobody looks. */
    readonly faithful: boolean;
  }>;
  /** Runs the model once; calls in order. */
  capture(feeds: Tensors, modules: readonly string[]): Promise<readonly CapturedAttention[]>;
  /** Puts other attention at some modules, and the model's own at all others. @throws UNSUPPORTED */
  swap(placed: PlacedAttentions): Promise<void>;
  /** What must not change when attention does: how many modules and tensors there are, and a SHA-256 of them. */
  proof(): Promise<{ readonly modules: number; readonly tensors: number; readonly sha256: string }>;
  /** Writes what puts the same attention into the same model without attnswap. */
  save(folder: string, saving: { readonly placed: PlacedAttentions; readonly source: string; readonly version: string }): Promise<void>;
}
