import type { AttentionInputs } from '../../contract/inputs.ts';
import type { HeadRows, Variant } from '../../contract/variant.ts';
import { blockQueries, keyMeans } from '../blocks.ts';
import { allowedEnd, appendKeys, clearRow, viewHead } from '../head-view.ts';
import { readParameters } from '../parameter-types.ts';
import { refusePositions } from '../work.ts';
import { gatedCost } from './cost.ts';
import { correct, headGate } from './gate.ts';
import { gatedParameters, gatesQueries } from './parameters.ts';
import type { GatedParameters } from './parameters.ts';
import { queryRows } from './queries.ts';
import { selectGates } from './selection.ts';

/** Attention with a learned low-rank gate: of pairs, of blocks, or of queries. */
export const gated: Variant = {
  name: 'gated',
  takesGate: true,
  summary: 'a learned gate adjusts the scores and drops the pairs, blocks or queries it opens least',
  parameters: gatedParameters,
  refuses(given, shape) {
    const { block, form, sparsity = 0 } = readParameters('gated', gatedParameters, given);
    if (shape.causal && gatesQueries(form) && sparsity > 0)
      return `gated: form=${form} with sparsity chooses among all queries, later ones too, so it cannot be causal; use tau`;
    return block === 1 ? undefined : refusePositions('gated by block', shape);
  },
  looksAhead(given) {
    const { block, form, sparsity = 0 } = readParameters('gated', gatedParameters, given);
    return block > 1 || (gatesQueries(form) && sparsity > 0);
  },
  cost: (given, shape) => gatedCost(readParameters('gated', gatedParameters, given), shape),
  knob: ({ tau }) => (tau === undefined ? { parameter: 'sparsity', leaving: (share) => 1 - share } : undefined),
  selectivity: (given) =>
    given['sparsity'] === 0
      ? undefined
      : {
          dropped: () => Number(given['sparsity'] ?? 0),
          keeping: (share) => ({ ...given, sparsity: Number((1 - share).toFixed(6)) }),
        },
  rows(inputs, given, at) {
    const read = readParameters('gated', gatedParameters, given);
    if (gatesQueries(read.form)) return queryRows(inputs, read, at);
    return read.block === 1 ? elementwiseRows(inputs, read, at) : blockRows(inputs, read, at);
  },
};

function elementwiseRows(inputs: AttentionInputs, read: GatedParameters, at: { batch: number; head: number }): HeadRows {
  const view = viewHead(inputs, at);
  const gate = headGate(inputs, at.head, read.rank);
  const queries = gate.projectQueries(view.query);
  const keys = gate.projectKeys(view.key);
  const gates = new Float64Array(view.shape.keys);
  const kept = new Uint8Array(view.shape.keys);
  const select = selectGates(read, view.shape.keys, true);
  return {
    pools: [],
    fill(query, row) {
      clearRow(row);
      appendKeys(view, query, 0, allowedEnd(view.shape, query), row);
      for (let e = 0; e < row.length; e++) gates[e] = gate.logit(queries, query, keys, row.key[e]!);
      row.margin = select(gates, row.length, kept);
      let length = 0;
      for (let e = 0; e < row.length; e++) {
        if (kept[e] === 0) continue;
        row.key[length] = row.key[e]!;
        row.logit[length++] = correct(row.logit[e]!, gates[e]!, read.form);
      }
      row.length = length;
    },
  };
}

/** The other blocks that a block of queries keeps, ascending, each with its gate's γ. */
interface KeptBlocks {
  readonly blocks: ReadonlyArray<{ index: number; gate: number }>;
  readonly margin: number;
}

function blockRows(inputs: AttentionInputs, read: GatedParameters, at: { batch: number; head: number }): HeadRows {
  const view = viewHead(inputs, at);
  const { block } = read;
  const keep = blockSelector(inputs, read, at);
  let current = -1;
  let kept: KeptBlocks = { blocks: [], margin: Infinity };
  return {
    pools: [],
    fill(query, row) {
      clearRow(row);
      const own = Math.floor((query + view.offset) / block);
      if (own !== current) kept = keep(own);
      current = own;
      row.margin = kept.margin;
      const end = allowedEnd(view.shape, query);
      for (const { index, gate } of kept.blocks) {
        const from = row.length;
        appendKeys(view, query, index * block, Math.min((index + 1) * block, end), row);
        if (index === own) continue;
        for (let e = from; e < row.length; e++) row.logit[e] = correct(row.logit[e]!, gate, read.form);
      }
    },
  };
}

function blockSelector(inputs: AttentionInputs, read: GatedParameters, at: { batch: number; head: number }): (own: number) => KeptBlocks {
  const view = viewHead(inputs, at);
  const gate = headGate(inputs, at.head, read.rank);
  const { tokens, mean } = keyMeans(view, read.block);
  const keys = gate.projectKeys(mean);
  const queries = gate.projectQueries(blockQueries(view, read.block));
  const gates = new Float64Array(tokens.length);
  const marks = new Uint8Array(tokens.length);
  const select = selectGates(read, tokens.length, false);
  return (own) => {
    const others: number[] = [];
    for (let index = 0; index < (view.shape.causal ? own : tokens.length); index++) {
      if (index === own || tokens[index] === 0) continue;
      gates[others.length] = gate.logit(queries, own, keys, index);
      others.push(index);
    }
    const margin = select(gates, others.length, marks);
    const kept = others.map((index, e) => ({ index, gate: gates[e]! })).filter((_, e) => marks[e] === 1);
    return { blocks: [...kept, { index: own, gate: 0 }].sort((a, b) => a.index - b.index), margin };
  };
}
