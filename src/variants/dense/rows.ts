import type { WeighingDefinition } from '../../contract/variant.ts';
import { allowedEnd, appendKeys, clearRow, viewHead } from '../head-view.ts';

/** The rows of dense attention alone, for who needs no other variant. */
export const denseRows: WeighingDefinition = {
  name: 'dense',
  takesBias: true,
  takesSoftcap: true,
  takesSinks: true,
  refuses: () => undefined,
  rows(inputs, _parameters, at) {
    const view = viewHead(inputs, at);
    return {
      pools: [],
      fill(query, row) {
        clearRow(row, view.sink);
        appendKeys(view, query, 0, allowedEnd(view.shape, query), row);
      },
    };
  },
};
