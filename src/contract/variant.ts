import type { AttentionInputs } from './inputs.ts';
import type { Shape } from './shape.ts';
import type { Span } from './span.ts';

/** Parameters as written and recorded: names to plain values. */
export type Parameters = Readonly<Record<string, number | string>>;

/** Validates parameters and fills in defaults. */
export interface ParameterSchema<Output extends Parameters = Parameters> {
  /** Every name, with its default; undefined where it has none. */
  readonly defaults: Readonly<Record<string, number | string | undefined>>;
  /** What they settle as, or why they are refused; unknown names are. */
  read(given: Parameters): { readonly parameters: Output } | { readonly refusal: string };
}

/**
 * The entries that one query sees, before softmax. Entry e < `length` is the exact key `key[e]` where that is below the
 * number of keys, else the pooled block `pools[key[e] − keys]`. `logit[e]` is final: scale, gate and ln(tokens) included.
 * Buffers are reused from row to row; entries past `length` are stale. A query that sees nothing has `length` 0.
 */
export interface Row {
  length: number;
  /**
   * Where the entries were selected by score: the gap between the lowest kept and the highest dropped score, in the
   * units of a logit (`gated`: of γ). A gap within rounding means that another selection is as right. Infinity where nothing was dropped by score.
   */
  margin: number;
  /** The logit of the head's attention sink: −∞ where it has none. */
  sink: number;
  readonly key: Int32Array;
  readonly logit: Float64Array;
}

/** A block of keys that some rows see as one key. */
export interface Pool {
  /** First key of the block. */
  readonly start: number;
  /** One past the last key of the block. */
  readonly end: number;
  /** Unpadded keys in the block, ≥ 1. */
  readonly tokens: number;
  /** Mean value over the unpadded keys, `[headDim]`, float64. */
  readonly value: Float64Array;
}

/** One head of one batch element of a variant in float64: the specification that kernels and waste are judged by. */
export interface HeadRows {
  readonly pools: readonly Pool[];
  /** Fills `row` with what `query` sees. The buffers hold at least keys + pools.length entries. */
  fill(query: number, row: Row): void;
}

/** One head of one batch element of a variant that keeps a running state instead of weighing pairs, in float64. */
export interface HeadOutputs {
  /** `[queries asked for, headDim]`. */
  readonly output: Float64Array;
  /** `[queries asked for]`: the error ‖out − output‖ that rounding alone is expected to stay below. */
  readonly allowance: Float64Array;
}

/** Work of one call over all batch elements and heads, in multiply–add = 2 FLOPs. */
export interface Work {
  /** q·k products computed, masked ones too. */
  readonly scoredPairs: number;
  /** Pairs that enter a softmax; a pooled block counts as one. */
  readonly weightedPairs: number;
  /** Pairs that dense attention weighs: all of them, or the allowed ones when causal. */
  readonly densePairs: number;
  readonly flops: number;
  /** Least traffic: inputs read once and the output written once, in the shape's dtype. */
  readonly bytes: number;
  /** Of a variant that keeps a running state instead of pairs: the states of all heads in f32. */
  readonly stateBytes?: number;
}

interface Definition {
  readonly name: string;
  /** Whether it is defined with a bias on the logits; absent where it is not. */
  readonly takesBias?: true;
  /** Whether it is defined with a soft cap on the logits; absent where it is not. */
  readonly takesSoftcap?: true;
  /** Whether it is defined with attention sinks; absent where it is not. */
  readonly takesSinks?: true;
  /** Whether it reads the inputs' learned gate; absent where it does not. */
  readonly takesGate?: true;
  /** The only number of tokens that it is defined for, queries and keys alike; absent where it is defined for any. */
  tokens?(parameters: Parameters): number;
  /** Why the variant is not defined for the shape, or undefined where it is. */
  refuses(parameters: Parameters, shape: Shape): string | undefined;
  /** Whether, unless it is causal, later queries have a say in what a query sees; absent where they never have. A decoder cannot know them yet. */
  looksAhead?(parameters: Parameters): boolean;
}

/** The parameter that says how many keys are attended to. */
export interface Knob {
  readonly parameter: string;
  /** Its value that leaves a share of so many keys, 1 for all of them. */
  leaving(share: number, keys: number): number;
}

/** How many keys a selection by score keeps. */
export interface Selectivity {
  /** The share of so many keys that is dropped; 0 where no parameter says it. */
  dropped(keys: number): number;
  /** Parameters that keep a share of so many keys instead. */
  keeping(share: number, keys: number): Parameters;
}

/** Batch element `batch`, query head `head`. */
export interface HeadAddress {
  readonly batch: number;
  readonly head: number;
}

/** A variant whose queries weigh pairs: its rows say which, and how. */
export interface WeighingDefinition extends Definition {
  /** The float64 rows of one head. */
  rows(inputs: AttentionInputs, parameters: Parameters, at: HeadAddress): HeadRows;
  readonly outputs?: never;
}

/** A variant whose queries read a state that every key has changed: there are no weights of pairs. */
export interface RecurrentDefinition extends Definition {
  /** What `queries` of one head give, in float64. */
  outputs(inputs: AttentionInputs, parameters: Parameters, at: HeadAddress, queries: readonly number[]): HeadOutputs;
  readonly rows?: never;
}

/** The mathematics of a variant, which every kernel is judged by. */
export type Specification = WeighingDefinition | RecurrentDefinition;

/** An attention mechanism, defined by mathematics and typed parameters. */
export type Variant = Specification & {
  readonly summary: string;
  readonly parameters: ParameterSchema;
  /** The keys that every query sees for certain, by position; absent where a selection decides. */
  span?(parameters: Parameters, causal: boolean): Span;
  /** Work of a good kernel, exact without padding (`gated` with `tau`: an upper bound, as if every gate were open). */
  cost(parameters: Parameters, shape: Shape): Work;
  /** What `audit` varies; absent, or undefined for these parameters, where no parameter alone says how much is attended to. */
  knob?(parameters: Parameters): Knob | undefined;
  /** What a training starts dense with, and a control selects at random; absent, or undefined for these parameters, where keys are not selected by score. */
  selectivity?(parameters: Parameters): Selectivity | undefined;
};
