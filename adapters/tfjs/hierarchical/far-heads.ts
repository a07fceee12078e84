import { blockLayout, countedKeys, wholeKeyBlocks, wholeQueryBlocks } from '../blocks.ts';
import { cutOf } from '../cut.ts';
import type { Cut } from '../cut.ts';
import { joinTensors } from '../head-groups.ts';
import type { Site, Tensor } from '../kernel.ts';
import { biasOfMask } from '../selection.ts';
import { seenRows } from '../tiles.ts';
import type { FarMeans, PlannedFar, WholeKeys } from './far-means.ts';
import { patternBias, spreadOver } from './sizes.ts';
import type { Level, Sizes } from './sizes.ts';

/** Scores of one head that are in memory at a time. */
const pairsAtOnce = 2 ** 17;

/** Regions [from, from + count) of a group's queries. */
interface Run {
  readonly from: number;
  readonly count: number;
}

/**
 * Exact keys of each query's own block of `own` tokens, and `far` means: one softmax over both, scored apart, so that no keys are
 * copied together.
 */
export function planFarHeads(site: Site, sizes: Sizes, own: number, far: PlannedFar): Level {
  const { tf, shape, scale } = site;
  const { region } = sizes;
  const layout = blockLayout(shape, region);
  const triangle = site.constant(
    patternBias(own, own, (row, column) => !shape.causal || column <= row),
    [1, own, own],
  );
  const atOnce = Math.max(1, Math.floor(pairsAtOnce / (region * (own + layout.keyBlocks))));
  return (group) => {
    const query = cutOf(site, wholeQueryBlocks(site, tf.mul(group.query, scale), layout));
    const whole = {
      key: wholeKeyBlocks(site, group.key, layout),
      value: wholeKeyBlocks(site, group.value, layout),
      counted: countedKeys(site, group, layout),
    };
    const farOf = far(group.size, whole);
    const cuts = { key: cutOf(site, whole.key), value: cutOf(site, whole.value), counted: cutOf(site, whole.counted) };
    const parts: Tensor[] = [];
    for (let from = 0; from < layout.queryBlocks; from += atOnce) {
      const run = { from, count: Math.min(atOnce, layout.queryBlocks - from) };
      const rows = [from * region, run.count * region] as const;
      const queries = query.rows(...rows);
      const near = nearKeys(site, cuts, { first: (layout.first + from) * region, rows: rows[1], own });
      parts.push(tf.tidy(() => attendRun(site, { queries, near, far: farOf(from, run.count), triangle }, run)));
    }
    return tf.slice(joinTensors(tf, parts, 1), [0, layout.lead, 0], [group.size, shape.queries, shape.headDim]);
  };
}

/** The blocks of `own` keys from `first` on: `[size·blocks, own, headDim]`, and what hides their keys, `[…, 1, own]`. */
function nearKeys({ tf }: Site, { key, value, counted }: Record<keyof WholeKeys, Cut>, at: { first: number; rows: number; own: number }) {
  const blocks = (cut: Cut) => tf.reshape(cut.rows(at.first, at.rows), [-1, at.own, cut.whole.shape[2]!]);
  const hidden = biasOfMask(tf, tf.reshape(counted.rows(at.first, at.rows), [-1, 1, at.own]));
  return { key: blocks(key), value: blocks(value), hidden };
}

function attendRun(
  site: Site,
  given: { queries: Tensor; near: ReturnType<typeof nearKeys>; far: FarMeans; triangle: Tensor },
  run: Run,
): Tensor {
  const { tf, shape } = site;
  const { near, far, queries } = given;
  const [size = 1, rows = 0] = queries.shape;
  const [blocks = 1, own = 1] = near.key.shape;
  const [regions, region] = [size * run.count, rows / run.count];
  const byBlock = (tensor: Tensor) => tf.reshape(tensor, [blocks, own, -1]);
  const byRegion = (tensor: Tensor) => tf.reshape(tensor, [regions, region, -1]);
  const ownBias = tf.add(spreadOver(site, near.hidden, size, blocks), given.triangle);
  const ownScore = tf.add(tf.matMul(byBlock(queries), near.key, false, true), ownBias);
  const farScore = far.score(byRegion(queries));
  const score = tf.concat([byRegion(ownScore), farScore], 2);
  const weight = tf.softmax(score);
  const ownWeight = tf.slice(weight, [0, 0, 0], [regions, region, own]);
  const farWeight = tf.slice(weight, [0, 0, own], [regions, region, farScore.shape[2]!]);
  const output = tf.add(byRegion(tf.matMul(byBlock(ownWeight), near.value)), far.apply(farWeight));
  const shown = site.masked ? tf.mul(output, seenRows(site, score)) : output;
  return tf.reshape(shown, [size, rows, shape.headDim]);
}
