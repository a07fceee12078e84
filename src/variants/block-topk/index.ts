import type { Variant } from '../../contract/variant.ts';
import { blockQueries, keyMeans } from '../blocks.ts';
import { allowedEnd, appendKeys, clearRow, viewHead } from '../head-view.ts';
import type { HeadView } from '../head-view.ts';
import { dotAt } from '../key-products.ts';
import { createCut, cutLargest, stays } from '../keep-largest.ts';
import { parameterObject, readParameters, wholeNumber, withDefault } from '../parameter-types.ts';
import { refusePositions } from '../work.ts';
import { blockTopkCost } from './cost.ts';

const parameters = parameterObject({ block: withDefault(wholeNumber(1), 64), blocks: withDefault(wholeNumber(2), 8) });

interface Selection {
  /** Kept blocks, ascending. */
  readonly kept: readonly number[];
  readonly margin: number;
}

/** Each block of queries keeps its own block, block 0, and the best others by the score of their means (after MoBA: Lu et al. 2025). */
export const blockTopk: Variant = {
  name: 'block-topk',
  summary: 'whole blocks of keys, chosen by the score of block means',
  parameters,
  refuses: (_parameters, shape) => refusePositions('block-topk', shape),
  looksAhead: (given) => readParameters('block-topk', parameters, given).block > 1,
  cost(given, shape) {
    const { block, blocks } = readParameters('block-topk', parameters, given);
    return blockTopkCost(block, blocks, shape);
  },
  knob(given) {
    const { block } = readParameters('block-topk', parameters, given);
    return { parameter: 'blocks', leaving: (share, keys) => Math.max(2, Math.round((share * keys) / block)) };
  },
  selectivity(given) {
    const { block, blocks } = readParameters('block-topk', parameters, given);
    return {
      dropped: (keys) => 1 - Math.min(1, blocks / Math.ceil(keys / block)),
      keeping: (share, keys) => ({ ...given, blocks: Math.ceil(share * Math.ceil(keys / block)) }),
    };
  },
  rows(inputs, given, at) {
    const { block, blocks } = readParameters('block-topk', parameters, given);
    const view = viewHead(inputs, at);
    const select = selector(view, block, blocks);
    let current = -1;
    let selection: Selection = { kept: [], margin: Infinity };
    return {
      pools: [],
      fill(query, row) {
        clearRow(row);
        const own = Math.floor((query + view.offset) / block);
        if (own !== current) selection = select(own);
        current = own;
        row.margin = selection.margin;
        const end = allowedEnd(view.shape, query);
        for (const index of selection.kept) appendKeys(view, query, index * block, Math.min((index + 1) * block, end), row);
      },
    };
  },
};

function selector(view: HeadView, block: number, blocks: number): (own: number) => Selection {
  const { headDim, causal } = view.shape;
  const { tokens, mean } = keyMeans(view, block);
  const speakers = blockQueries(view, block);
  const score = new Float64Array(tokens.length);
  const scratch = new Float64Array(tokens.length);
  const cut = createCut();
  return (own) => {
    const candidates: number[] = [];
    const kept = [...new Set([0, own])].filter((index) => tokens[index]! > 0);
    for (let index = 1; index < (causal ? own : tokens.length); index++) {
      if (index === own || tokens[index] === 0) continue;
      score[candidates.length] = view.scale * dotAt(speakers, own * headDim, mean, index * headDim, headDim);
      candidates.push(index);
    }
    cutLargest(score, candidates.length, blocks - kept.length, scratch, cut);
    const best = candidates.filter((_, e) => stays(cut, score[e]!));
    return { kept: [...kept, ...best].sort((a, b) => a - b), margin: cut.margin };
  };
}
