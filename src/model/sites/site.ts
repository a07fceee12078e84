import type { Span } from '../../contract/span.ts';
import type { Body } from '../graph/bodies.ts';
import type { AppendBias } from './append-bias.ts';
import type { DeclaredMask, Declared, SinkSource } from './candidate.ts';
import type { Rounding } from './rounding.ts';
import type { View } from './views.ts';

/**
 * What a user knows of masks that runs do not show: that there is none, that they are causal alone, or that they keep the keys that an input
 * of the model marks.
 */
export interface Assumption {
  readonly mask: 'none' | 'causal' | 'padding';
  /** The input that marks keys, `[batch, keys]`, of `padding`. */
  readonly input?: string;
}

/** An attention in a model, as it was seen to work. */
export interface Site {
  /** Number of the site, in the graph's order. */
  readonly site: number;
  /** Name of the softmax, or of the fused operator. */
  readonly node: string;
  /** `graph`, or the fused operator's name. */
  readonly pattern: string;
  /** The branch of an `If` that it lies in; absent in the model's own graph. */
  readonly body?: string;
  readonly heads: number | null;
  readonly kvHeads: number | null;
  /** Of queries, keys and values: of the wider where they differ, see `widths`. */
  readonly headDim: number | null;
  /** Of queries and keys, and of values, where they differ: new attention gets the narrower with zeros behind them, see `checkWidths`. Absent where they do not. */
  readonly widths?: { readonly keys: number; readonly values: number };
  readonly dtype: string | null;
  /**
   * What is added to its scaled products beside causality: `window`: a query sees so many keys before and after it, without padding; `bias`:
   * a tensor that the model computes, handed to the new attention as it is, whatever it holds (positions, windows, masks of pairs, padding);
   * `other`: something that no kernel takes.
   */
  readonly mask: 'none' | 'padding' | 'window' | 'bias' | 'other' | null;
  /** Of a window: the keys before and after its own that a query sees. */
  readonly window?: Span;
  /** Whether heads have biases of their own; of a bias. */
  readonly biasPerHead?: boolean;
  /** Null where it is not known; of a bias, where the bias alone says which keys a query sees. */
  readonly causal: boolean | null;
  /** Whether queries and keys are always equally many. */
  readonly selfAttention: boolean | null;
  /**
   * Its queries are not the last of its keys' positions, one by one: keys of another sequence, such as an encoder's, queries or keys that were pooled,
   * buffers of keys that go on behind them, or `someQueries`. Absent where they are.
   */
  readonly crossAttention?: true;
  /** Its queries are some of the positions, picked by what the model computes, as behind an early exit. */
  readonly someQueries?: true;
  readonly scale: number | null;
  /** Its scaled logits become softcap · tanh(logit / softcap) before anything is added to them; absent where they do not. */
  readonly softcap?: number;
  /** It has attention sinks: a logit of each head joins the softmax and weighs no value. Absent where it has none. */
  readonly sinks?: true;
  /**
   * The model rounds its logits, or its weights, to whole steps of this size: the largest step of a scaled logit and of a weight. New attention
   * does not round. Absent where nothing is rounded.
   */
  readonly rounds?: { readonly logits?: number; readonly weights?: number };
  /** Its queries and its keys, where they are equally many in every run; absent where they are not. */
  readonly tokens?: number;
  /** Which of batch, queries and keys may change from call to call. */
  readonly dynamic: readonly string[];
  /** Tokens up to which its mask and its sizes were seen to be what is told here; absent where it was seen in small runs alone. */
  readonly provenLength?: number;
  /** What the user said of its mask, and no run showed: see {@link Assumption}. */
  readonly assumed?: string;
  readonly swappable: boolean;
  /** Why it is not. */
  readonly reason?: string;
}

/** What a swap needs to know of a site. */
export interface SitePlan {
  /** Where it lies; absent in the model's own graph. */
  readonly body?: Body;
  readonly query: View;
  readonly key: View;
  readonly value: View;
  readonly output: View;
  /** Which keys are padding, of a site whose mask is padding or a window. */
  readonly mask?: DeclaredMask;
  /** Of a site whose mask is a window or a bias: appends all of it. */
  readonly bias?: AppendBias;
  readonly sinks?: SinkSource;
  readonly project?: Declared['project'];
  readonly rounding?: Rounding;
}

/** A site that can be swapped, and how. */
export interface SwappableSite {
  readonly site: Site & { readonly heads: number; readonly kvHeads: number; readonly headDim: number; readonly scale: number };
  readonly plan: SitePlan;
}
