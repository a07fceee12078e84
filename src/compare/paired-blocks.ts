import type { Arm } from '../measure/arm.ts';
import { defaultBlockSeconds, measureBlock } from '../measure/pair-block.ts';
import type { PairBlockOptions, BlockOutcome } from '../measure/pair-block.ts';

/** Rows of each output that are judged: all that a check needs in the first block, a reminder in the others. */
const firstRows = 256;
const laterRows = 4;

export interface PairedBlocksOptions extends Pick<PairBlockOptions, 'seed' | 'timeoutSeconds' | 'signal' | 'figure'> {
  /** What the rounds of one block should take, seconds. @default 0.2 */
  readonly blockSeconds?: number | undefined;
  /** How one block is measured. @default in a fresh pair of workers */
  readonly measure?: typeof measureBlock | undefined;
}

/** Measures blocks of two arms by their number, one after another. The first settles the calls per sample, so that all measure alike. */
export function pairedBlocks(
  arms: { base: Arm; new: Arm },
  { seed, timeoutSeconds, signal, figure, blockSeconds = defaultBlockSeconds, measure = measureBlock }: PairedBlocksOptions,
): (index: number) => Promise<BlockOutcome> {
  let callsPerSample: PairBlockOptions['callsPerSample'];
  return async (index) => {
    const judgedRows = index === 0 ? firstRows : laterRows;
    const samplingNs = blockSeconds * 1e9;
    const outcome = await measure(arms, { seed, timeoutSeconds, signal, figure, index, judgedRows, samplingNs, callsPerSample });
    if (outcome.state === 'measured') callsPerSample ??= outcome.callsPerSample;
    return outcome;
  };
}
