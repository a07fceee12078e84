import { z } from 'zod';
import { parameterObject, properFraction, wholeNumber } from '../parameter-types.ts';

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

const tauError = 'a number from 0 to 1';
const fields = {
  sparsity: properFraction().exactOptional(),
  tau: z.number({ error: tauError }).min(0, { error: tauError }).max(1, { error: tauError }).exactOptional(),
  block: wholeNumber(1).default(1),
  form: z.enum(gateForms, { error: `one of ${gateForms.join(', ')}` }).default('multiply'),
  rank: wholeNumber(1).exactOptional(),
};

export const gatedParameters = parameterObject(fields)
  .refine(({ sparsity, tau }) => sparsity === undefined || tau === undefined, { error: 'got both sparsity and tau, expected one of them' })
  .refine(({ form, block }) => !gatesQueries(form) || block === 1, { error: 'form=query and form=output have no blocks' })
  .transform(({ sparsity, tau, ...others }): GatedParameters => {
    return tau === undefined ? { sparsity: sparsity ?? 0, ...others } : { tau, ...others };
  });

/** The gate's rank where no tensors set it: a quarter of the query's dimension, as the article recommends. */
export function defaultGateRank(headDim: number): number {
  return Math.max(1, Math.floor(headDim / 4));
}
