export const levels = ['local', 'regional', 'global'] as const;
export type Level = (typeof levels)[number];

/**
 * Heads of each level, dealt in proportion to `ratio` by largest remainder (a tie goes to the earlier level). Where there
 * are heads enough, each level of non-zero ratio gets one, taken from the largest level (a tie: from the later).
 */
export function dealHeads(heads: number, ratio: readonly number[]): number[] {
  const sum = ratio.reduce((total, part) => total + part, 0);
  const dealt = ratio.map((part) => Math.floor((heads * part) / sum));
  const remainder = ratio.map((part) => (heads * part) % sum);
  const order = ratio.map((_, level) => level).sort((a, b) => remainder[b]! - remainder[a]! || a - b);
  let left = heads - dealt.reduce((total, count) => total + count, 0);
  for (const level of order) if (left-- > 0) dealt[level]!++;
  if (heads >= ratio.filter((part) => part > 0).length) giveEachLevelOne(dealt, ratio);
  return dealt;
}

function giveEachLevelOne(dealt: number[], ratio: readonly number[]): void {
  for (const [level, part] of ratio.entries()) {
    if (part === 0 || dealt[level]! > 0) continue;
    dealt[dealt.lastIndexOf(Math.max(...dealt))]!--;
    dealt[level] = 1;
  }
}

/** The level of each head, in order: local heads first, global heads last. */
export function levelOf(head: number, heads: number, ratio: readonly number[]): Level {
  const [local = 0, regional = 0] = dealHeads(heads, ratio);
  if (head < local) return 'local';
  return head < local + regional ? 'regional' : 'global';
}

/** '4:3:1' → [4, 3, 1]. */
export function readRatio(ratio: string): number[] {
  return ratio.split(':').map(Number);
}
