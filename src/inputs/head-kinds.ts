/** How the logits of a kind of head are made up; amplitudes are in units of a logit. */
export interface HeadKind {
  readonly name: string;
  /** Heads of this kind among twelve. */
  readonly weight: number;
  /** Standard deviation of the content's part. */
  readonly deviation: number;
  /** The position's part at distance 0. */
  readonly position: number;
  /** The distance, in tokens, over which the position's part falls off: ℓ. */
  readonly reach: number;
  /** Added to every logit of key 0. */
  readonly sink: number;
  /** Scale of what heavy-hitter keys add to every logit. */
  readonly hitter: number;
  /** The fraction of the content that queries and keys of one token share. */
  readonly copy: number;
}

/** The kinds found in trained causal language models, in the order in which they are dealt over the heads. */
export const headKinds: readonly HeadKind[] = [
  { name: 'local', weight: 3, deviation: 1.2, position: 16, reach: 8, sink: 5, hitter: 1, copy: 0.1 },
  { name: 'sink', weight: 5, deviation: 1.5, position: 4, reach: 32, sink: 11.5, hitter: 2, copy: 0.1 },
  { name: 'hitter', weight: 2, deviation: 2, position: 2, reach: 64, sink: 8, hitter: 7, copy: 0.2 },
  { name: 'diffuse', weight: 1, deviation: 0.7, position: 0.5, reach: 128, sink: 2, hitter: 0.5, copy: 0 },
  { name: 'retrieval', weight: 1, deviation: 3.5, position: 1, reach: 64, sink: 8, hitter: 1, copy: 0.7 },
];

/** The kind of each of `kvHeads` heads: dealt by largest remainder, a tie going to the earlier kind. */
export function dealHeadKinds(kvHeads: number): readonly HeadKind[] {
  const total = headKinds.reduce((sum, kind) => sum + kind.weight, 0);
  const counts = headKinds.map((kind) => Math.floor((kind.weight * kvHeads) / total));
  const dealt = counts.reduce((sum, count) => sum + count, 0);
  const remainder = (index: number): number => (headKinds[index]!.weight * kvHeads) % total;
  const order = headKinds.map((_, index) => index).toSorted((a, b) => remainder(b) - remainder(a) || a - b);
  for (const index of order.slice(0, kvHeads - dealt)) counts[index]! += 1;
  return headKinds.flatMap((kind, index) => new Array<HeadKind>(counts[index]!).fill(kind));
}
