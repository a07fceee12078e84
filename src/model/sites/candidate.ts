import type { NodeProto } from 'onnx-buf';
import type { GraphBuilder } from '../graph/graph-builder.ts';
import type { LogitPath } from './logit-path.ts';
import type { MaskRule } from './mask-sources.ts';

/**
 * Where a query, key, value or output lies in the graph, as far as the graph alone says: how many axes the tensor has is
 * known only once it ran.
 */
export interface RawView {
  readonly tensor: string;
  /** What brings the tensor's axes into the order `[batch, heads, n, headDim]`, or `[batch·heads, n, headDim]`. */
  readonly perm?: readonly number[];
  /** The last two axes are swapped, however many there are. */
  readonly swapped?: boolean;
  /** Heads of a tensor `[batch, n, heads·headDim]`. */
  readonly packedHeads?: number;
}

/** What a fused operator adds to its logits, by a tensor: see `maskRules`. */
export interface DeclaredMask {
  readonly tensor: string;
  readonly rule: MaskRule;
}

/** The keys, up to its own, that a query of a fused operator sees. */
export interface DeclaredWindow {
  readonly keys: number;
  /** Of an operator with a past, which may end earlier for some batch elements: the tensor that holds the last key of each. */
  readonly ends?: string | undefined;
}

/** What a fused operator attends with, where that is computed inside: queries, keys and values as tensors. */
export interface Projected {
  readonly query: string;
  readonly key: string;
  readonly value: string;
  /** What gives its other outputs, by their names: keys and values with those of the past. */
  readonly outputs?: Readonly<Record<string, string>>;
}

/** What a fused operator says of itself, as it shows no logits. */
export interface Declared {
  /**
   * Whether a query sees no later key: the last query sees the last key, or the first query the first, or the last query the last of so many
   * keys as a tensor counts, one number a batch element.
   */
  readonly causal: false | 'last' | 'first' | { readonly counts: string };
  /** 1/√headDim where absent. */
  readonly scale: number | undefined;
  /** Caps the scaled logits softly, before masks. */
  readonly softcap?: number | undefined;
  readonly masks: readonly DeclaredMask[];
  /** Whether it takes one query a call. */
  readonly single?: true;
  /** Of a causal operator whose queries see the last keys alone; all of them where absent. */
  readonly window?: DeclaredWindow | undefined;
  /** Where the operator projects, shifts, rotates or joins queries, keys and values inside. */
  readonly project?: (graph: GraphBuilder) => Projected;
}

/** Where a site's attention sinks come from: a tensor with a logit for each head, or zeros where there is none. */
export interface SinkSource {
  readonly tensor?: string;
}

/** Something that looks like attention: what it computes is settled by running it. */
export interface Candidate {
  /** The softmax, or the fused operator. */
  readonly anchor: NodeProto;
  /** `graph`, or the fused operator's name. */
  readonly pattern: string;
  readonly query: RawView;
  readonly key: RawView;
  readonly value: RawView;
  readonly output: RawView;
  /** What happens between the product of queries and keys and that of weights and values; absent for fused operators. */
  readonly path?: LogitPath;
  /** Of fused operators. */
  readonly declared?: Declared;
  readonly sinks?: SinkSource;
  /** Why it cannot be swapped, as far as the graph alone says. */
  readonly refusal?: string;
}
