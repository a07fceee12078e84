import { numberField, oneOf, optional, parameterObject, properFraction, settledAs, wholeNumber, withDefault } from '../parameter-types.ts';

/**
 * What a gate g does. Gates of pairs correct the logit s: `multiply` gives s·g, `log` gives s + ln g. Gates of queries multiply all logits of a row,
 * `query`, or its output, `output`.
 */
export const gateForms = ['multiply', 'log', 'query', 'output'] as const;
export type GateForm = (typeof gateForms)[number];

/** Whether a gate belongs to a query alone, whatever the keys. */
export function gatesQueries(form: unknown): form is 'query' | 'output' {
  return form === 'query' || form === 'output';
}

/** Settled parameters: just one of `sparsity` and `tau`. */
export type GatedParameters = { block: number; form: GateForm; rank?: number } & (
  | { sparsity: number; tau?: never }
  | { tau: number; sparsity?: never }
);

const fields = {
  sparsity: optional(properFraction()),
  tau: optional(numberField('a number from 0 to 1', (tau) => tau >= 0 && tau <= 1)),
  block: withDefault(wholeNumber(1), 1),
  form: withDefault(oneOf(gateForms), 'multiply'),
  rank: optional(wholeNumber(1)),
};

export const gatedParameters = settledAs(
  parameterObject(fields, ({ sparsity, tau, form, block }) => {
    if (sparsity !== undefined && tau !== undefined) return 'got both sparsity and tau, expected one of them';
    return gatesQueries(form) && block !== 1 ? 'form=query and form=output have no blocks' : undefined;
  }),
  ({ sparsity, tau, ...others }): GatedParameters => (tau === undefined ? { sparsity: sparsity ?? 0, ...others } : { tau, ...others }),
);

/** The gate's rank where no tensors set it: a quarter of the query's dimension, as the article recommends. */
export function defaultGateRank(headDim: number): number {
  return Math.max(1, Math.floor(headDim / 4));
}
