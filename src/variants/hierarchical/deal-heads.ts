/** What a head sees besides its own surroundings. */
export const levels = ['local', 'regional', 'global'] as const;
export type Level = (typeof levels)[number];

/**
 * How many heads, in order, are local, regional and global: `ratio` by largest remainder, a tie going to the earlier
 * level. Where heads suffice, each level of non-zero ratio gets one at least, taken from the largest (a tie: the later).
 */
export function dealHeads(heads: number, ratio: string): [number, number, number] {
  const shares = ratio.split(':').map(Number);
  const total = shares.reduce((sum, share) => sum + share, 0);
  const counts = shares.map((share) => Math.floor((heads * share) / total));
  const remainders = shares.map((share) => (heads * share) % total);
  for (let left = heads - sumOf(counts); left > 0; left--) {
    const next = remainders.indexOf(Math.max(...remainders));
    counts[next]!++;
    remainders[next] = -1;
  }
  if (heads >= shares.filter((share) => share > 0).length) giveEachOne(counts, shares);
  return [counts[0]!, counts[1]!, counts[2]!];
}

function giveEachOne(counts: number[], shares: readonly number[]): void {
  for (let level = 0; level < counts.length; level++) {
    if (shares[level] === 0 || counts[level]! > 0) continue;
    counts[counts.lastIndexOf(Math.max(...counts))]!--;
    counts[level] = 1;
  }
}

function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

/** The level of query head `head`. */
export function levelOf(head: number, heads: number, ratio: string): Level {
  const [local, regional] = dealHeads(heads, ratio);
  if (head < local) return 'local';
  return head < local + regional ? 'regional' : 'global';
}
