import type { Parameters } from './variant.ts';
import type { Testbed } from './testbed.ts';

/** The attention of one layer, or of one across, as a trainer runs it. */
export interface LayerAttention {
  readonly variant: string;
  readonly parameters: Parameters;
  /** The control: as many keys as the variant selects, chosen at random. */
  readonly shuffled?: boolean;
}

/** AdamW: linear warm-up, then half a cosine to a tenth of the rate. */
export interface OptimizerOptions {
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly warmUpSteps: number;
  /** Of the whole training. */
  readonly steps: number;
  /** Largest norm of all gradients together. */
  readonly clip: number;
}

/** A trained model whose outputs are learned from; its soft labels are its last layer's, as if it had no exits. */
export interface Teacher {
  readonly testbed: Testbed;
  /** Path of its weights. */
  readonly weights: string;
  readonly attention: readonly LayerAttention[];
  /** Share of the loss that its soft labels take; 0 for its heads alone. */
  readonly weight: number;
  readonly temperature: number;
  /** `[attentions][heads]`, sum 1: how much each head's distance from the teacher's counts. Absent: heads are not compared. */
  readonly headWeights?: ReadonlyArray<readonly number[]>;
  /** Factor of the heads' distance. */
  readonly headLoss?: number;
}

export interface TrainRequest {
  readonly backend: string;
  readonly testbed: Testbed;
  /** Path of the first weights: a safetensors file, a tensor a parameter, F32. */
  readonly weights: string;
  readonly attention: readonly LayerAttention[];
  readonly optimizer: OptimizerOptions;
  readonly teacher?: Teacher;
  readonly threads?: number;
  /** Ends the training at once, in the middle of an answer too, which then fails. */
  readonly signal?: AbortSignal | undefined;
}

/** What one epoch did, a figure a step. */
export interface EpochResult {
  /** Nats. */
  readonly losses: readonly number[];
  readonly gradientNorms: readonly number[];
  /** Whether a loss or gradient was not finite: nothing was done after that step. */
  readonly diverged: boolean;
  readonly elapsedNs: number;
}

/** A figure an item. */
export interface ItemScores {
  /** Share of scored positions that are right. */
  readonly correct: Float32Array;
  /** Mean −log₂ p of the right class over scored positions. */
  readonly bits: Float32Array;
  /** Mean number of layers up to the answer over scored positions; absent where the testbed has no exits. */
  readonly layers?: Float32Array;
}

/**
 * A training at work. Where the testbed has exits, scores and logits are those of the exited answers, and what logits lose, against a teacher's soft labels
 * too, is the mean over the exits and the last layer. Data files hold `tokens` and `targets` `[items, length]`, I32, target −1 where nothing is scored, and
 * so at an exit no answer asked for, and with an encoder `source` `[items, source length]`; order files `order` `[steps, batch]`, I32, items of a data file.
 * Attention is listed layer by layer; with an encoder its layers come first, then of each decoder layer its own attention and that across.
 */
export interface Training {
  epoch(request: { readonly attention: readonly LayerAttention[]; readonly data: string; readonly order: string }): Promise<EpochResult>;
  evaluate(request: { readonly attention: readonly LayerAttention[]; readonly data: string; readonly batch: number }): Promise<ItemScores>;
  /**
   * Greedy decoding, classes `[items, length]`: each position reads, as token vocabulary − classes + class, what the one before it gave. Of a data file
   * only the source and the first token are read. All positions are filled: nothing tells where a translation ends.
   */
  translate(request: { readonly attention: readonly LayerAttention[]; readonly data: string; readonly batch: number }): Promise<Int32Array>;
  /** `[attentions][heads]`: mean |Σ o·∂loss/∂o|, the loss's first-order sensitivity to each head's output. */
  importance(request: { readonly data: string; readonly batch: number }): Promise<number[][]>;
  /** The training loss over all items of a file, nats, and its gradient with respect to every weight, by name. */
  gradients(request: { readonly data: string }): Promise<{ readonly loss: number; readonly gradients: ReadonlyMap<string, Float32Array> }>;
  /** `[items, length, classes]`. */
  logits(request: { readonly data: string }): Promise<Float32Array>;
  /** With `optimizer` its state too, from which `load` goes on exactly; else the weights alone, as the first ones were given. */
  save(path: string, include: { readonly optimizer: boolean }): Promise<void>;
  load(path: string): Promise<void>;
  close(): Promise<void>;
}
