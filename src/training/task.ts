/** Items of one split, all of one length. */
export interface TaskItems {
  readonly items: number;
  readonly length: number;
  /** `[items, length]`. */
  readonly tokens: Int32Array;
  /** `[items, length]`: the class that the position should give; −1 where it is not scored. */
  readonly targets: Int32Array;
  /**
   * Where the answer is known: `[items, length]`, the position whose value the scored position must find, −1 elsewhere.
   * With it labelled waste is exact.
   */
  readonly relevant?: Int32Array;
}

export const splits = ['train', 'validation', 'test'] as const;
export type Split = (typeof splits)[number];

/** A task with known answers. Splits share no item; same split, number and seed, same items. */
export interface Task {
  readonly name: string;
  readonly summary: string;
  readonly vocabulary: number;
  readonly classes: number;
  readonly length: number;
  readonly causal: boolean;
  /** `accuracy`: the share of scored positions whose largest logit is right; `bits`: mean −log₂ p of the right class. */
  readonly metric: 'accuracy' | 'bits';
  /** Accuracy of guessing; bits of a uniform guess. */
  readonly chance: number;
  items(split: Split, count: number, seed: number): Promise<TaskItems>;
}
