import type { Row, Variant } from '../../contract/variant.ts';
import { ceilTimes, decimalOf } from '../decimal.ts';
import { allowedEnd, appendKeys, clearRow, viewHead } from '../head-view.ts';
import { createCut, cutLargest, stays } from '../keep-largest.ts';
import { optional, parameterObject, positiveFraction, readParameters, settledAs, wholeNumber } from '../parameter-types.ts';
import { densePairsPerHead, sumOverQueries, workOf } from '../work.ts';

type TopkParameters = { k: number; keep?: never } | { keep: number; k?: never };

const fields = { k: optional(wholeNumber(1)), keep: optional(positiveFraction()) };
const parameters = settledAs(
  parameterObject(fields, ({ k, keep }) =>
    k === undefined || keep === undefined ? undefined : 'got both k and keep, expected one of them',
  ),
  ({ k, keep }): TopkParameters => (keep === undefined ? { k: k ?? 32 } : { keep }),
);

/** How many keys a row keeps of the `allowed` that it may see: k, or ⌈keep·allowed⌉. */
function keptCounter(given: TopkParameters): (allowed: number) => number {
  if (given.keep === undefined) return (allowed) => Math.min(given.k, allowed);
  const fraction = decimalOf(given.keep);
  return (allowed) => ceilTimes(fraction, allowed);
}

/** Keeps, for each query, the keys with the largest logits; a tie goes to the lower key (top-k attention: Gupta et al. 2021). */
export const topk: Variant = {
  name: 'topk',
  takesBias: true,
  summary: 'the k keys with the largest logits, or a fraction `keep` of the allowed keys',
  parameters,
  refuses: () => undefined,
  cost(given, shape) {
    const kept = keptCounter(readParameters('topk', parameters, given));
    const perHead = sumOverQueries(shape, (query) => kept(allowedEnd(shape, query)));
    const heads = shape.batch * shape.heads;
    return workOf(shape, { scoredPairs: heads * densePairsPerHead(shape), weightedPairs: heads * perHead });
  },
  knob: ({ keep }) =>
    keep === undefined
      ? { parameter: 'k', leaving: (share, keys) => Math.max(1, Math.round(share * keys)) }
      : { parameter: 'keep', leaving: (share) => share },
  selectivity: (given) => ({
    dropped: (keys) => 1 - ('keep' in given ? Number(given['keep']) : Math.min(1, Number(given['k']) / keys)),
    keeping: (share) => ({ keep: share }),
  }),
  rows(inputs, given, at) {
    const kept = keptCounter(readParameters('topk', parameters, given));
    const view = viewHead(inputs, at);
    const scratch = new Float64Array(view.shape.keys);
    const cut = createCut();
    return {
      pools: [],
      fill(query, row) {
        clearRow(row);
        appendKeys(view, query, 0, allowedEnd(view.shape, query), row);
        cutLargest(row.logit, row.length, kept(row.length), scratch, cut);
        row.margin = cut.margin;
        compact(row, (logit) => stays(cut, logit));
      },
    };
  },
};

function compact(row: Row, keeps: (logit: number) => boolean): void {
  let length = 0;
  for (let e = 0; e < row.length; e++) {
    const logit = row.logit[e]!;
    if (!keeps(logit)) continue;
    row.key[length] = row.key[e]!;
    row.logit[length++] = logit;
  }
  row.length = length;
}
