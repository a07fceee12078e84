import type { Block, Comparison } from '../contract/verdict.ts';
import { isBusy, judgeBlocks } from '../decide/judge-blocks.ts';
import type { BlockEvidence } from '../decide/judge-blocks.ts';
import { judgeMissing } from '../decide/judge-figures.ts';
import type { Rule, ComparisonSubject } from '../decide/rule.ts';
import type { LookPlan } from '../decide/sequential.ts';

/** Why there is no block, and what a comparison then comes to. */
export interface NoBlock {
  readonly outcome: 'incomplete' | 'error';
  readonly reason: string;
}

export interface Looking extends Omit<BlockEvidence, 'blocks'> {
  readonly plan: LookPlan;
  /** Told before each block how many count so far, and how many were set aside. */
  readonly progress?: ((block: number, setAside: number) => void) | undefined;
}

/**
 * Adds blocks until a look decides. An arm without a figure ends the comparison, as a figure from some blocks of an arm that then failed
 * is none.
 */
export async function untilDecided(
  subject: ComparisonSubject,
  rule: Rule,
  { progress, ...evidence }: Looking,
  measure: (index: number) => Promise<Block | NoBlock>,
): Promise<Comparison> {
  const blocks: Block[] = [];
  for (;;) {
    const setAside = blocks.filter((block) => isBusy(block, evidence.busyFrom)).length;
    progress?.(blocks.length - setAside, setAside);
    const block = await measure(blocks.length);
    if ('outcome' in block) return judgeMissing(subject, rule, block.outcome, block.reason);
    blocks.push(block);
    const { state, comparison } = judgeBlocks(subject, rule, { ...evidence, blocks });
    if (state !== 'more') return comparison;
  }
}

/** `block 3 of at most 40 (2 set aside)`, where `block` count so far. */
export function blockText(block: number, most: number, setAside: number): string {
  return `block ${block + 1} of at most ${most}${setAside === 0 ? '' : ` (${setAside} set aside)`}`;
}

/** What an arm, in words, says instead of a figure. */
export function noBlock(arm: string, status: string, reason = 'no figure'): NoBlock {
  return { outcome: status === 'unsupported' ? 'incomplete' : 'error', reason: `${arm}: ${status}: ${reason}` };
}
