import { positionOffset } from '../../contract/shape.ts';
import type { Shape } from '../../contract/shape.ts';
import type { Variant } from '../../contract/variant.ts';
import { allowedEnd, appendKeys, clearRow, viewHead } from '../head-view.ts';
import { parameterObject, readParameters, wholeNumber, withDefault } from '../parameter-types.ts';
import { refusePositions, sumOverQueries, workOf } from '../work.ts';
import { windowEnd, windowSpan, windowStart } from './span.ts';

const parameters = parameterObject({ w: withDefault(wholeNumber(1), 256), globals: withDefault(wholeNumber(0), 0) });

/**
 * Sliding-window attention with global tokens (Longformer: Beltagy et al. 2020, section 3.1): causal, the last `w`
 * positions; otherwise ⌊w/2⌋ on each side. The first `globals` positions see, and are seen by, every one that causality allows.
 */
export const window: Variant = {
  name: 'window',
  takesBias: true,
  takesSoftcap: true,
  takesSinks: true,
  summary: 'keys within a window around the query, and a few global keys',
  parameters,
  span: (given, causal) => windowSpan(readParameters('window', parameters, given).w, causal),
  refuses: (_parameters, shape) => refusePositions('window', shape),
  cost(given, shape) {
    const { w, globals } = readParameters('window', parameters, given);
    const pairs = shape.batch * shape.heads * sumOverQueries(shape, (query) => keysSeen(shape, query, w, globals));
    return workOf(shape, { scoredPairs: pairs, weightedPairs: pairs });
  },
  knob: () => ({ parameter: 'w', leaving: (share, keys) => Math.max(1, Math.round(share * keys)) }),
  rows(inputs, given, at) {
    const { w, globals } = readParameters('window', parameters, given);
    const view = viewHead(inputs, at);
    return {
      pools: [],
      fill(query, row) {
        clearRow(row, view.sink);
        const position = query + view.offset;
        const start = position < globals ? 0 : windowStart(view.shape, position, w);
        const end = position < globals ? allowedEnd(view.shape, query) : windowEnd(view.shape, position, w);
        appendKeys(view, query, 0, Math.min(globals, start), row);
        appendKeys(view, query, start, end, row);
      },
    };
  },
};

function keysSeen(shape: Shape, query: number, w: number, globals: number): number {
  const position = query + positionOffset(shape);
  if (position < globals) return allowedEnd(shape, query);
  const start = windowStart(shape, position, w);
  return windowEnd(shape, position, w) - start + Math.min(globals, start);
}
