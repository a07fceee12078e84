import type { Adapter } from '../contract/adapter.ts';
import type { GraphBuilder, Value } from '../model/graph-builder.ts';
import type { Testbed } from './testbed.ts';

export interface ExportOptions {
  /** Whose kernels the model gets. */
  readonly adapter: Adapter;
  /**
   * Kernels by variant, such as `{ dense: 'naive' }`. A kernel that the testbed's own text names comes first; without either it is the
   * adapter's default.
   */
  readonly kernels?: Readonly<Record<string, string>>;
}

/** What the parts of the model share. */
export interface ModelParts {
  readonly testbed: Testbed;
  readonly graph: GraphBuilder;
  readonly options: ExportOptions;
  /** The sequence's length, int64 `[1]`. */
  readonly length: Value;
}
