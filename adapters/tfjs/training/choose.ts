import type { LayerAttention } from '../../../src/contract/training.ts';
import { RandomStream } from '../../../src/inputs/random.ts';
import { ceilTimes, decimalOf } from '../../../src/variants/decimal.ts';
import type { GatedParameters } from '../../../src/variants/gated/parameters.ts';
import { selectGates } from '../../../src/variants/gated/selection.ts';
import { createCut, cutLargest, stays } from '../../../src/variants/keep-largest.ts';
import { maskedScore } from '../selection.ts';

/** Marks with 1 which of scores[0 … length) stay, with 0 the others; `row` counts the rows of one call. */
type Choose = (scores: Float64Array, length: number, kept: Uint8Array, row: number) => void;

/** What a layer's attention chooses by scores, in JavaScript: no gradient flows through it. */
export interface Choice {
  /** Positions that are chosen together; 1: each key by itself. */
  readonly block: number;
  /** By scores `[size, n, n]` of queries and keys, or of their blocks: what is added to the logits, `[size, queries, keys]`, 0 or {@link maskedScore}. */
  bias(scores: Float32Array): Float32Array;
}

/** Queries and keys are as many unless each is chosen by itself. */
interface Site {
  readonly queries: number;
  readonly keys: number;
  readonly causal: boolean;
}

/** Of one layer; undefined where nothing is chosen. */
export function choiceOf(given: LayerAttention, site: Site): Choice | undefined {
  const { variant, parameters } = given;
  const block = Number(parameters['block'] ?? 1);
  const most = Math.ceil(site.keys / block);
  if (variant === 'topk') return choosingPairs(site, controlled(given, most, largest(keptOf(parameters), most)));
  if (variant === 'block-topk') {
    const blocks = Number(parameters['blocks']);
    const others = [0, 1].map((own) =>
      controlled(
        given,
        most,
        largest(() => blocks - 1 - own, most),
      ),
    );
    // Block 0 and the own one are kept without being asked; they may be the same.
    return choosingBlocks({ ...site, block, first: 1 }, (own) => others[own === 0 ? 0 : 1]!);
  }
  if (variant !== 'gated' || parameters['sparsity'] === 0) return undefined;
  const byPair = block === 1;
  const select = selectGates(parameters as unknown as GatedParameters, most, byPair);
  const choose = controlled(given, most, (scores, length, kept) => void select(scores, length, kept));
  return byPair ? choosingPairs(site, choose) : choosingBlocks({ ...site, block, first: 0 }, () => choose);
}

/** How many of so many allowed keys `topk` keeps. */
function keptOf({ k, keep }: LayerAttention['parameters']): (allowed: number) => number {
  if (keep === undefined) return () => Number(k);
  const share = decimalOf(Number(keep));
  return (allowed) => ceilTimes(share, allowed);
}

/** The `count(length)` largest, a tie going to the lower index. */
function largest(count: (length: number) => number, most: number): Choose {
  const scratch = new Float64Array(most);
  const cut = createCut();
  return (scores, length, kept) => {
    cutLargest(scores, length, count(length), scratch, cut);
    for (let e = 0; e < length; e++) kept[e] = stays(cut, scores[e]!) ? 1 : 0;
  };
}

const draws = 2 ** 16;

/** The same, or in the control as many at random: the same draws in every call, so that a training that goes on does what an uninterrupted one does. */
function controlled({ shuffled }: LayerAttention, most: number, choose: Choose): Choose {
  if (shuffled !== true) return choose;
  let count = 0;
  const draw = largest(() => count, most);
  const stream = new RandomStream(0, 'shuffled selection');
  const drawn = Float64Array.from({ length: draws + most }, () => stream.uniform());
  return (scores, length, kept, row) => {
    choose(scores, length, kept, row);
    count = kept.subarray(0, length).reduce((sum, mark) => sum + mark, 0);
    const from = (row * most) % draws;
    draw(drawn.subarray(from, from + length), length, kept, row);
  };
}

function choosingPairs({ queries, keys, causal }: Site, choose: Choose): Choice {
  const [row, kept] = [new Float64Array(keys), new Uint8Array(keys)];
  return {
    block: 1,
    bias(scores) {
      const bias = new Float32Array(scores.length).fill(maskedScore);
      for (let index = 0; index * keys < scores.length; index++) {
        const from = index * keys;
        const end = causal ? (index % queries) + 1 : keys;
        row.set(scores.subarray(from, from + end));
        choose(row, end, kept, index);
        for (let key = 0; key < end; key++) if (kept[key] === 1) bias[from + key] = 0;
      }
      return bias;
    },
  };
}

interface BlockSite extends Site {
  readonly block: number;
  /** The first block that has to be chosen: 1 where block 0 is always kept. */
  readonly first: number;
}

function choosingBlocks({ keys: length, causal, block, first }: BlockSite, chooseFor: (own: number) => Choose): Choice {
  const blocks = Math.ceil(length / block);
  const [row, kept] = [new Float64Array(blocks), new Uint8Array(blocks)];
  /** Blocks that one of queries sees. */
  const seen = (scores: Float32Array, own: number, index: number): number[] => {
    const others = Array.from({ length: causal ? own : blocks }, (_, other) => other).filter((other) => other >= first && other !== own);
    for (const [e, other] of others.entries()) row[e] = scores[index * blocks + other]!;
    chooseFor(own)(row, others.length, kept, index);
    return [...(first === 1 && own !== 0 ? [0] : []), own, ...others.filter((_, e) => kept[e] === 1)];
  };
  return {
    block,
    bias(scores) {
      const bias = new Float32Array((scores.length / blocks ** 2) * length ** 2).fill(maskedScore);
      for (let index = 0; index * blocks < scores.length; index++) {
        const [head, own] = [Math.floor(index / blocks), index % blocks];
        const columns = seen(scores, own, index);
        for (let query = own * block; query < Math.min(length, (own + 1) * block); query++) {
          const from = (head * length + query) * length;
          const end = causal ? query + 1 : length;
          for (const other of columns) bias.fill(0, from + Math.min(end, other * block), from + Math.min(end, (other + 1) * block));
        }
      }
      return bias;
    },
  };
}
