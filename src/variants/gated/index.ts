import { z } from 'zod';
import type { AttentionInputs } from '../../contract/inputs.ts';
import { positionOffset } from '../../contract/shape.ts';
import type { Shape } from '../../contract/shape.ts';
import type { HeadRows, Variant } from '../../contract/variant.ts';
import { blockCount, blockQueries, keyMeans } from '../blocks.ts';
import { ceilTimes, complementOf, decimalOf } from '../decimal.ts';
import { allowedEnd, appendKeys, clearRow, viewHead } from '../head-view.ts';
import { parameterObject, properFraction, readParameters, wholeNumber } from '../parameter-types.ts';
import { densePairsPerHead, refusePositions, sumOverQueries, workOf } from '../work.ts';
import { correct, headGate } from './gate.ts';
import { selectGates } from './selection.ts';

const tauError = 'a number from 0 to 1';
const parameters = parameterObject({
  rank: wholeNumber(1).exactOptional(),
  sparsity: properFraction().exactOptional(),
  tau: z.number({ error: tauError }).min(0, { error: tauError }).max(1, { error: tauError }).exactOptional(),
  form: z.enum(['multiply', 'log'], { error: 'multiply or log' }).default('multiply'),
  block: wholeNumber(1).default(1),
})
  .refine(({ sparsity, tau }) => sparsity === undefined || tau === undefined, { error: 'got both sparsity and tau, expected one of them' })
  .transform((read) => (read.tau === undefined ? { sparsity: 0, ...read } : read));

type GatedParameters = z.output<typeof parameters>;

/** Attention whose scores a learned low-rank gate corrects, pair by pair or block by block. */
export const gated: Variant = {
  name: 'gated',
  summary: 'a learned gate corrects the scores and drops the least open pairs or blocks',
  parameters: parameters as unknown as Variant['parameters'],
  refuses: ({ block }, shape) => (block === 1 ? undefined : refusePositions('gated by block', shape)),
  cost(given, shape) {
    const read = readParameters('gated', parameters as unknown as z.ZodType<GatedParameters & Record<string, string | number>>, given);
    return read.block === 1 ? elementwiseCost(read, shape) : blockCost(read, shape);
  },
  rows(inputs, given, at) {
    const read = readParameters('gated', parameters as unknown as z.ZodType<GatedParameters & Record<string, string | number>>, given);
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

function elementwiseCost(read: GatedParameters, shape: Shape) {
  const heads = shape.batch * shape.heads;
  const share = complementOf(decimalOf(read.sparsity ?? 0));
  const dense = heads * densePairsPerHead(shape);
  const weighted = heads * sumOverQueries(shape, (query) => ceilTimes(share, allowedEnd(shape, query)));
  const rank = read.rank ?? Math.max(1, Math.floor(shape.headDim / 4));
  const projections = heads * 2 * (shape.queries + shape.keys) * shape.headDim * rank;
  const extra = { extraFlops: projections + dense * 2 * rank, extraElements: shape.heads * (2 * shape.headDim * rank + 1) };
  return workOf(shape, { scoredPairs: dense, weightedPairs: weighted, ...extra });
}

function blockCost(read: GatedParameters, shape: Shape) {
  const heads = shape.batch * shape.heads;
  const total = blockCount(shape.keys, read.block);
  const pairs = heads * sumOverQueries(shape, (query) => blockKeysSeen(read, shape, query, total));
  const rank = read.rank ?? Math.max(1, Math.floor(shape.headDim / 4));
  const extraFlops = heads * (shape.keys * shape.headDim + 4 * total * shape.headDim * rank + 2 * total ** 2 * rank);
  return workOf(shape, {
    scoredPairs: pairs,
    weightedPairs: pairs,
    extraFlops,
    extraElements: shape.heads * (2 * shape.headDim * rank + 1),
  });
}

/** Keys of one row; which of the blocks is a short last one depends on the data, so non-causal lengths off the block are bounded above. */
function blockKeysSeen(read: GatedParameters, shape: Shape, query: number, total: number): number {
  const position = query + positionOffset(shape);
  const own = Math.floor(position / read.block);
  const kept = ceilTimes(complementOf(decimalOf(read.sparsity ?? 0)), shape.causal ? own : total - 1);
  const ownKeys = Math.min((own + 1) * read.block, shape.causal ? position + 1 : shape.keys) - own * read.block;
  if (shape.causal || own === total - 1 || kept < total - 1) return kept * read.block + ownKeys;
  return shape.keys;
}
