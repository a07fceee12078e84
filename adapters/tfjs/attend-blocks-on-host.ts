import { joinTensors } from './head-groups.ts';
import type { Site, Tensor } from './kernel.ts';
import { maskedScore } from './selection.ts';
import { largestOpener } from './select-on-host.ts';
import type { BlockTask } from './block-rule.ts';
import { attend, padded, paddingBias, tiledGroup } from './tiles.ts';
import type { TiledGroup } from './tiles.ts';

/** Scores of blocks that are read to the host at a time. */
const scoresAtOnce = 2 ** 16;

/** One block of queries and what it reads. */
interface ReadBlocks {
  /** Queries [first, first + rows), the first at `position` on the keys' axis. */
  readonly first: number;
  readonly rows: number;
  readonly position: number;
  /** Blocks of keys, ascending, with the γ that corrects their scores; undefined corrects nothing. */
  readonly blocks: ReadonlyArray<{ readonly index: number; readonly gate: number | undefined }>;
}

/** Keys [start, end), together with what corrects their scores. */
interface KeyRange {
  readonly start: number;
  readonly end: number;
  readonly gate: number | undefined;
}

/** One head: each block of queries in turn, against slices of what it reads. The host knows the blocks, so none is read in vain. */
export function attendOnHost(site: Site, task: BlockTask): Tensor {
  const { tf } = site;
  const group = tiledGroup(site, task.group);
  const { queryBlocks, keyBlocks } = task.layout;
  const atOnce = Math.max(1, Math.floor(scoresAtOnce / keyBlocks));
  const parts: Tensor[] = [];
  for (let from = 0; from < queryBlocks; from += atOnce) {
    for (const read of chooseBlocks(site, task, from, Math.min(atOnce, queryBlocks - from))) {
      parts.push(tf.tidy(() => attendBlocks(site, group, read, task.layout.size)));
    }
  }
  return joinTensors(tf, parts, 1);
}

function chooseBlocks({ tf, shape }: Site, { layout, rule, choice }: BlockTask, from: number, count: number): ReadBlocks[] {
  const { keyBlocks, size, offset, first: firstBlock } = layout;
  const values = (scores: typeof choice.score) => tf.tidy(() => scores(from, count).dataSync() as Float32Array);
  const score = values(choice.score);
  const gate = choice.gate && values(choice.gate);
  const bias = new Float32Array(keyBlocks);
  const open = largestOpener(rule.kept, keyBlocks);
  return Array.from({ length: count }, (_, t) => {
    const own = firstBlock + from + t;
    open(score.subarray(t * keyBlocks, (t + 1) * keyBlocks), bias.fill(maskedScore));
    const blocks: Array<{ index: number; gate: number | undefined }> = [];
    for (const [index, closed] of bias.entries()) {
      if (closed === 0) blocks.push({ index, gate: index === own ? undefined : gate?.[t * keyBlocks + index] });
    }
    const position = Math.max(offset, own * size);
    const rows = Math.min(shape.keys, (own + 1) * size) - position;
    return { first: position - offset, rows, position, blocks };
  });
}

function attendBlocks(site: Site, group: TiledGroup, read: ReadBlocks, size: number): Tensor {
  const { tf, shape } = site;
  const ranges = keyRanges(site, read, size);
  if (ranges.length === 0) return tf.zeros([1, read.rows, shape.headDim]);
  const join = (axis: number, cut: (range: KeyRange) => Tensor) => joinTensors(tf, ranges.map(cut), axis);
  const query = group.query.rows(read.first, read.rows);
  const key = join(2, ({ start, end }) => group.keyTransposed.columns(start, end - start));
  const value = join(1, ({ start, end }) => group.value.rows(start, end - start));
  const { factor, bias: pattern } = correction(site, read, ranges);
  const plain = tf.matMul(query, key);
  const score = factor === undefined ? plain : tf.mul(plain, factor);
  const { mask } = group.group;
  const padding = mask && join(2, ({ start, end }) => paddingBias(site, mask, start, end - start));
  // Corrections of the form s + ln g do not hide a key.
  return attend(site, score, padded(site, pattern, padding), value);
}

/** Neighbouring blocks that nothing corrects are one range; when causal, keys after the last query are left out. */
function keyRanges({ shape }: Site, { blocks, position, rows }: ReadBlocks, size: number): KeyRange[] {
  const last = shape.causal ? position + rows : shape.keys;
  const ranges: KeyRange[] = [];
  for (const { index, gate } of blocks) {
    const end = Math.min(last, (index + 1) * size);
    const before = ranges.at(-1);
    if (before !== undefined && before.end === index * size && before.gate === undefined && gate === undefined) {
      ranges[ranges.length - 1] = { ...before, end };
    } else ranges.push({ start: index * size, end, gate });
  }
  return ranges;
}

/** What multiplies scores and what is added to them, `[1, rows, columns]`; undefined where that does nothing. */
function correction(site: Site, { rows, position }: ReadBlocks, ranges: readonly KeyRange[]) {
  const { tf, shape, parameters } = site;
  const columns = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  const gated = ranges.some(({ gate }) => gate !== undefined);
  const multiplies = gated && parameters['form'] !== 'log';
  const factor = multiplies ? new Float32Array(rows * columns).fill(1) : undefined;
  const bias = shape.causal || (gated && !multiplies) ? new Float32Array(rows * columns) : undefined;
  let from = 0;
  for (const { start, end, gate } of ranges) {
    for (let row = 0; row < rows; row++) {
      const at = row * columns + from;
      const width = end - start;
      if (gate !== undefined) (factor ?? bias)!.fill(factor === undefined ? logOpenness(gate) : openness(gate), at, at + width);
      if (shape.causal) bias!.fill(maskedScore, at + Math.max(0, Math.min(width, position + row + 1 - start)), at + width);
    }
    from += end - start;
  }
  const place = (values: Float32Array | undefined) => values && tf.tensor3d(values, [1, rows, columns]);
  return { factor: place(factor), bias: place(bias) };
}

function openness(gate: number): number {
  return 1 / (1 + Math.exp(-gate));
}

/** ln sigmoid(γ). */
function logOpenness(gate: number): number {
  return gate >= 0 ? -Math.log1p(Math.exp(-gate)) : gate - Math.log1p(Math.exp(gate));
}
