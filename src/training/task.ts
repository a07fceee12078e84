import type { KeyGroup } from '../contract/key-groups.ts';
import type { TokenGrid } from '../contract/testbed.ts';

/** Items of one split, all of one length: the task's, or a shorter one for training and validation. */
export interface TaskItems {
  readonly items: number;
  readonly length: number;
  /** `[items, length]`. */
  readonly tokens: Int32Array;
  /** `[items, length]`: the class that the position should give; −1 where it is not scored. */
  readonly targets: Int32Array;
  /**
   * Where it is known what holds the answers: `[items·length]`, the keys that matter to a scored position, none to others; positions of the source
   * where there is one. With them labelled waste is exact.
   */
  readonly relevant?: ReadonlyArray<readonly number[]>;
  /** `[items]`, where items are graded: more is harder. */
  readonly difficulty?: Int32Array;
  /** What an encoder reads. */
  readonly source?: SourceTokens;
}

/** What is translated, or seen, all of one length; `[items, length]`. */
export interface SourceTokens {
  readonly length: number;
  readonly tokens: Int32Array;
}

/** What makes a task one of translation. */
export interface Translation {
  /** The text of answers, `[length]`, up to the end of the sentence. The next position reads an answer as token vocabulary − classes + answer. */
  textOf(classes: ArrayLike<number>): string;
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
  /** Of tokens that are places of a grid: its shape. */
  readonly grid?: TokenGrid;
  /**
   * `accuracy`: the share of scored positions whose largest logit is right, of a translation whether all are; `bits`: mean −log₂ p of the right class.
   */
  readonly metric: 'accuracy' | 'bits';
  /** Accuracy of guessing; bits of a uniform guess. */
  readonly chance: number;
  /** Tokens of every source, where an encoder reads one. */
  readonly sourceLength?: number;
  /** Where the keys that answers are read from come from: of a source where there is one. */
  readonly keyGroups?: readonly KeyGroup[];
  /** Where answers are sentences, read from a source. */
  readonly translation?: Translation;
  /** What a token is made of: the first embedding is the sum of its parts', so that tokens that share one are alike. Absent: no token is like another. */
  partsOf?(token: number): readonly string[];
  items(split: Split, count: number, seed: number): Promise<TaskItems>;
}

/** One of the items, by its place. */
export function oneItem({ length, tokens, targets, source }: TaskItems, item: number): TaskItems {
  const row = (values: Int32Array, each: number) => values.subarray(item * each, (item + 1) * each);
  const from = source && { length: source.length, tokens: row(source.tokens, source.length) };
  return { items: 1, length, tokens: row(tokens, length), targets: row(targets, length), ...(from && { source: from }) };
}
