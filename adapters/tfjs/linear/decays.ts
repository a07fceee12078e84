import type { LinearSettings } from '../../../src/variants/linear/parameters.ts';
import type { HeadGroup } from '../head-groups.ts';
import type { Site, Tensor } from '../kernel.ts';

/** Positions [first, first + count) of the keys' axis, and the queries among them: the rows from `from` on. */
export interface Chunk {
  readonly first: number;
  readonly count: number;
  readonly from: number;
}

/**
 * How much is left of what a key wrote, by γ to the number of unpadded keys since: ratios, which cannot overflow, never quotients of what has
 * decayed from the start. Each has an axis of matrices first, of 1 where they agree; undefined where nothing decays.
 */
export interface Decays {
  /** Between each query and each key of the chunk, `[…, count − from, count]`: 0 where the query does not see the key. */
  readonly between: Tensor;
  /** From the chunk's start to each position, its own decay too: `[…, count, 1]`. */
  readonly before: Tensor | undefined;
  /** From after each position to the chunk's end. */
  readonly after: Tensor | undefined;
  /** Of the whole chunk, `[…, 1, 1]`. */
  readonly whole: Tensor | undefined;
  /** Between keys, of those that come earlier alone, `[…, count, count]`; what the delta rules write depends on it. */
  readonly earlier: Tensor | undefined;
}

/** Factors below this are as good as 0; smaller ones are denormal numbers, which are slow. */
const leastFactor = 2 ** -120;

/** The decays of chunks: those that a padding mask does not change are made once for chunks of one size. */
export function decaysOf(site: Site, group: HeadGroup, settings: LinearSettings): (chunk: Chunk) => Decays {
  const known = new Map<string, Decays>();
  const isVaried = group.mask !== undefined && settings.rule.startsWith('gated');
  return (chunk) => {
    const name = `${chunk.count}/${chunk.from}`;
    const found = (isVaried ? undefined : known.get(name)) ?? chunkDecays(site, group, settings, chunk);
    known.set(name, found);
    return found;
  };
}

function chunkDecays(site: Site, group: HeadGroup, settings: LinearSettings, { first, count, from }: Chunk): Decays {
  const { tf, shape } = site;
  const pattern = (start: number, sees: (row: number, column: number) => boolean) =>
    tf.tensor3d(patternOf([start, count], sees), [1, count - start, count]);
  const seen = pattern(from, (row, column) => !shape.causal || column <= row);
  const earlier = settings.beta === undefined ? undefined : pattern(0, (row, column) => column < row);
  if (!settings.rule.startsWith('gated')) return { between: seen, before: undefined, after: undefined, whole: undefined, earlier };
  const logs = tf.tensor3d(
    group.kvHeads.map((head) => Math.log(settings.decayOf(head))),
    [group.size, 1, 1],
  );
  const power = (exponent: Tensor) => tf.exp(tf.maximum(tf.mul(exponent, logs), Math.log(leastFactor)));
  const kept = group.mask === undefined ? tf.ones([1, count]) : tf.slice(group.mask, [0, first], [group.mask.shape[0]!, count]);
  const counts = tf.expandDims(tf.cumsum(kept, 1), 2);
  const total = tf.slice(counts, [0, count - 1, 0], [counts.shape[0]!, 1, 1]);
  const pairs = power(tf.abs(tf.sub(counts, tf.transpose(counts, [0, 2, 1]))));
  const rows = tf.slice(pairs, [0, from, 0], [group.size, count - from, count]);
  return {
    between: tf.mul(rows, seen),
    before: power(counts),
    after: power(tf.sub(total, counts)),
    whole: power(total),
    earlier: earlier && tf.mul(pairs, earlier),
  };
}

/** 1 where a row sees a column, else 0, of rows [start, count): `[count − start, count]`. */
export function patternOf([start, count]: readonly [number, number], sees: (row: number, column: number) => boolean): Float32Array {
  return Float32Array.from({ length: (count - start) * count }, (_, cell) =>
    sees(start + Math.floor(cell / count), cell % count) ? 1 : 0,
  );
}
