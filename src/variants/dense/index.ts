import type { Variant } from '../../contract/variant.ts';
import { allowedEnd, appendKeys, clearRow, viewHead } from '../head-view.ts';
import { parameterObject } from '../parameter-types.ts';
import { densePairsPerHead, workOf } from '../work.ts';

/** Scaled dot-product attention (Vaswani et al. 2017, equation 1): every allowed key enters the softmax. */
export const dense: Variant = {
  name: 'dense',
  summary: 'every allowed key',
  parameters: parameterObject({}),
  takesBias: true,
  refuses: () => undefined,
  cost(_parameters, shape) {
    const pairs = shape.batch * shape.heads * densePairsPerHead(shape);
    return workOf(shape, { scoredPairs: pairs, weightedPairs: pairs });
  },
  rows(inputs, _parameters, at) {
    const view = viewHead(inputs, at);
    return {
      pools: [],
      fill(query, row) {
        clearRow(row);
        appendKeys(view, query, 0, allowedEnd(view.shape, query), row);
      },
    };
  },
};
