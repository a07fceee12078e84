/** Sizes that all small transformers share. */
export const size = { heads: 4, headDim: 8, hidden: 32, inner: 64, vocabulary: 100, positions: 1024 } as const;

/** One layer's self-attention. */
export interface LayerPlan {
  readonly kvHeads: number;
  readonly causal: boolean;
  /** Whether padded keys are masked. */
  readonly padded: boolean;
}

/** What a small transformer computes, whatever its graph looks like. */
export interface Architecture {
  readonly layers: readonly LayerPlan[];
  /** Token ids, embedded with learned positions (none where rotary), or hidden states as they come. */
  readonly input: 'tokens' | 'states';
  readonly norm: 'layer' | 'rms';
  /** Before each part, with one more at the end, or after each part's residual sum. */
  readonly normPlace: 'before' | 'after';
  readonly activation: 'relu' | 'gelu' | 'silu';
  readonly rotary: boolean;
  /** Whether logits are divided by √headDim. */
  readonly scaled: boolean;
  /** Whether a learned bias by distance is added to the logits, as in T5. */
  readonly relativeBias: boolean;
  /** Whether each layer attends to a second sequence after its own. */
  readonly cross: boolean;
  /** Whether the output is logits over the vocabulary, by the embedding, or the last states. */
  readonly head: boolean;
}

export const plainLayer: LayerPlan = { kvHeads: size.heads, causal: false, padded: true };

/** An encoder of two layers, norms after, with the given changes. */
export function architecture(changes: Partial<Architecture> = {}): Architecture {
  return {
    layers: [plainLayer, plainLayer],
    input: 'tokens',
    norm: 'layer',
    normPlace: 'after',
    activation: 'relu',
    rotary: false,
    scaled: true,
    relativeBias: false,
    cross: false,
    head: false,
    ...changes,
  };
}

/** An attention site as a finder must report it. */
export interface ExpectedSite {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly mask: 'none' | 'padding' | 'bias';
  readonly causal: boolean | null;
  readonly swappable: boolean;
}

export interface Expected {
  /** In the order of the graph. */
  readonly sites: readonly ExpectedSite[];
  /** Whether the sites may be reported as a pattern that is not known, instead of found. */
  readonly mayBeUnknown?: boolean;
  /** Nodes of softmaxes that are no attention. */
  readonly unknown?: readonly string[];
}

/** The sites of an architecture, in the order of the graph. */
export function expectedSites({ layers, relativeBias, cross }: Architecture): Expected {
  const { heads, headDim } = size;
  const sites = layers.flatMap(({ kvHeads, causal, padded }): ExpectedSite[] => {
    const own: ExpectedSite = {
      heads,
      kvHeads,
      headDim,
      mask: relativeBias ? 'bias' : padded ? 'padding' : 'none',
      causal: relativeBias ? null : causal,
      swappable: true,
    };
    return cross ? [own, { ...own, mask: 'padding', causal: false }] : [own];
  });
  return { sites };
}
