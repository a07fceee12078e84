import type { SiteKeyGroup } from './key-groups.ts';
import type { Tensors } from './tensor.ts';

/** One input of a model: what one call takes. */
export interface Item {
  /** Unique and the same in every run. */
  readonly id: string;
  /** Length of the sequence that attention sees, tokens. */
  readonly length: number;
  /** The model's inputs by name. */
  readonly feeds: Tensors;
  /** Keys that come from different sources, such as the patches of an image and the tokens of a text: waste is then also reported by group. */
  readonly groups?: readonly SiteKeyGroup[];
  /** What the evaluation needs besides, such as the right answer; plain JSON. */
  readonly expected?: unknown;
}

/** A model as an evaluation sees it: one call, inputs and outputs by name. */
export interface RunnableModel {
  run(feeds: Tensors): Promise<Tensors>;
}

/** A user's data and task metric: a module that exports these functions. */
export interface DataModule {
  /** Items of each length, in a fixed order; the same request gives the same items. */
  items(request: { readonly lengths: readonly number[]; readonly itemsPerLength: number; readonly seed: number }): Promise<readonly Item[]>;
  /** One score an item, in order; higher is better. Without it, quality is how far the outputs drift from the original's. */
  evaluate?(model: RunnableModel, items: readonly Item[]): Promise<readonly number[]>;
  /** Whether a score depends on its own item alone: then, with a `range`, items are scored one by one, until enough is shown. @default false */
  readonly itemByItem?: boolean;
  /** What a score can be, for any model. */
  readonly range?: { readonly low: number; readonly high: number };
  /** What a score is, such as «1 − character error rate». */
  readonly metric?: string;
  /** The text that token ids stand for, for bits per byte; without it, only bits per token are told. */
  textOf?(ids: readonly number[]): string | Promise<string>;
}
