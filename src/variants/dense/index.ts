import { denseSpan } from '../../contract/span.ts';
import type { Variant } from '../../contract/variant.ts';
import { parameterObject } from '../parameter-types.ts';
import { densePairsPerHead, workOf } from '../work.ts';
import { denseRows } from './rows.ts';

/** Scaled dot-product attention (Vaswani et al. 2017, equation 1): every allowed key enters the softmax. */
export const dense: Variant = {
  summary: 'every allowed key',
  parameters: parameterObject({}),
  ...denseRows,
  span: (_parameters, causal) => denseSpan(causal),
  cost(_parameters, shape) {
    const pairs = shape.batch * shape.heads * densePairsPerHead(shape);
    return workOf(shape, { scoredPairs: pairs, weightedPairs: pairs });
  },
};
