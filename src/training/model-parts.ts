import type { Adapter } from '../contract/adapter.ts';
import type { GraphBuilder, GraphOutput, Value } from '../model/graph/graph-builder.ts';
import type { Testbed } from './testbed.ts';

export interface ExportOptions {
  /** Whose kernels the model gets. */
  readonly adapter: Adapter;
  /**
   * Kernels by variant, such as `{ dense: 'naive' }`. A kernel that the testbed's own text names comes first; without either it is the
   * adapter's default.
   */
  readonly kernels?: Readonly<Record<string, string>>;
  /**
   * With further outputs: what each attention's kernel reads, `layers.0.attention.query.heads` and so on for key and value,
   * `[batch, heads, length, attentionDim]`. Such a model has no exits: states do not depend on them, and every layer is to show what it reads.
   */
  readonly showHeads?: true;
}

/** What the parts of the model share. */
export interface ModelParts {
  readonly testbed: Testbed;
  readonly graph: GraphBuilder;
  readonly options: ExportOptions;
  /** The sequence's length, and the source's where there is an encoder, int64 `[1]`. */
  readonly length: Value;
  readonly sourceLength: Value | undefined;
  /** What the model gives besides logits. */
  readonly shown: GraphOutput[];
}

/** What begins the names of an encoder's own parts. */
export type Prefix = '' | 'encoder.';

/** The length of a sequence, and the most that it may be. */
export function lengthsOf(
  { testbed, length, sourceLength }: ModelParts,
  prefix: Prefix,
): { readonly length: Value; readonly longest: number } {
  return prefix === '' ? { length, longest: testbed.length } : { length: sourceLength!, longest: testbed.encoder!.length };
}
