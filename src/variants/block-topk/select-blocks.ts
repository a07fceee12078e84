import { blockQueries, dotAt, keyMeans } from '../blocks.ts';
import type { HeadView } from '../head-view.ts';
import { createCut, cutLargest, stays } from '../keep-largest.ts';

/** The key blocks that one query block keeps. */
export interface KeptBlocks {
  /** `[blocks]`: 1 where the block is kept. */
  readonly kept: Uint8Array;
  margin: number;
}

/**
 * Selects by c·(query of I)·(mean key of J): block I's own position's block and block 0 always, then the best others, a
 * tie going to the lower, until `blocks` are kept. A block that is all padding takes no place. The buffers are reused.
 */
export function blockSelector(view: HeadView, block: number, blocks: number): (own: number) => KeptBlocks {
  const { headDim, causal } = view.shape;
  const { tokens, mean } = keyMeans(view, block);
  const queries = blockQueries(view, block);
  const candidates = new Int32Array(tokens.length);
  const scores = new Float64Array(tokens.length);
  const scratch = new Float64Array(tokens.length);
  const cut = createCut();
  const selection: KeptBlocks = { kept: new Uint8Array(tokens.length), margin: Infinity };
  return (own) => {
    selection.kept.fill(0);
    selection.kept[0] = 1;
    selection.kept[own] = 1;
    const always = (tokens[own] === 0 ? 0 : 1) + (own === 0 || tokens[0] === 0 ? 0 : 1);
    let count = 0;
    for (let index = 1; index < (causal ? own : tokens.length); index++) {
      if (index === own || tokens[index] === 0) continue;
      candidates[count] = index;
      scores[count++] = view.scale * dotAt(queries, own * headDim, mean, index * headDim, headDim);
    }
    cutLargest(scores, count, blocks - always, scratch, cut);
    selection.margin = cut.margin;
    for (let e = 0; e < count; e++) if (stays(cut, scores[e]!)) selection.kept[candidates[e]!] = 1;
    return selection;
  };
}
