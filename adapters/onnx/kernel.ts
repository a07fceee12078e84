import type { KernelDescription } from '../../src/contract/adapter.ts';
import type { Span } from '../../src/contract/span.ts';
import type { Parameters } from '../../src/contract/variant.ts';
import type { GraphBuilder, Value } from '../../src/model/graph/graph-builder.ts';

/** What a kernel's graph is specialised for. Lengths and batch stay dynamic: one graph serves every length. */
export interface KernelConfig {
  readonly parameters: Parameters;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly causal: boolean;
  /** Whether queries and keys are equally many. */
  readonly selfAttention: boolean;
  /** Whether there is a padding mask. Without one the graph spends nothing on it. */
  readonly masked: boolean;
  /** Whether a bias is added to the logits. */
  readonly biased: boolean;
  /** Outside of which every pair is masked, besides what the variant masks. */
  readonly window?: Span | undefined;
  /** The element type of inputs, arithmetic and output. */
  readonly type: 'f32' | 'f16';
  readonly scale: number;
  /** Caps the scaled logits, before biases and masks. */
  readonly softcap?: number | undefined;
  /** Whether there are attention sinks. */
  readonly sinks?: boolean | undefined;
}

/** The graph's inputs. */
export interface KernelInputs {
  /** `[batch, heads, queries, headDim]`. */
  readonly query: Value;
  /** `[batch, kvHeads, keys, headDim]`. */
  readonly key: Value;
  /** `[batch, kvHeads, keys, headDim]`. */
  readonly value: Value;
  /** `[batch, keys]`, bool, true keeps; present when `masked`. */
  readonly mask?: Value;
  /** Four axes that broadcast to `[batch, heads, queries, keys]`, finite; present when `biased`. */
  readonly bias?: Value;
  /** `[heads]`; present where there are sinks. */
  readonly sinks?: Value;
  /** `[heads, headDim, rank]`, `[heads, headDim, rank]`, `[heads]`; present for `gated`. */
  readonly gate?: { readonly u: Value; readonly w: Value; readonly b: Value };
}

/** A kernel as an ONNX graph: the same builder serves benchmarks and models whose attention is swapped. */
export interface OnnxKernel extends KernelDescription {
  /** The oldest version of the standard operators that it can be written in, where that is newer than what every kernel is written in. */
  readonly opset?: number;
  /** Whether it computes nothing outside of a given window, and so needs no bias for one; absent where it never does. */
  skipsOutside?(parameters: Parameters): boolean;
  /** Why there is no such kernel for a configuration, where what the kernel takes does not tell; undefined where there is one. */
  refuses?(config: KernelConfig): string | undefined;
  /** Appends the attention to `graph` and returns its output, `[batch, heads, queries, headDim]`. */
  build(graph: GraphBuilder, inputs: KernelInputs, config: KernelConfig): Value;
}
