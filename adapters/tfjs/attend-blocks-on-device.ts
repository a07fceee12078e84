import { countedKeys, wholeKeyBlocks, wholeQueryBlocks } from './blocks.ts';
import type { BlockLayout } from './blocks.ts';
import { joinTensors } from './head-groups.ts';
import type { Site, Tensor } from './kernel.ts';
import { largestSlots } from './select-on-device.ts';
import { biasOfMask, maskedScore } from './selection.ts';
import { slotsOf } from './block-rule.ts';
import type { BlockRun, BlockTask } from './block-rule.ts';
import { attend, seenRows } from './tiles.ts';

/** Scores that one batched product may have. */
const pairsAtOnce = 2 ** 23;

/** What runs gather from: keys, values and biases by block, `[group·keyBlocks, …]`. */
interface Source {
  /** `[group, queryBlocks·size, headDim]`, scaled. */
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
  /** `[…, size]`: the masked score for padding and for what fills the last block up. */
  readonly bias: Tensor;
}

/** All heads: runs of blocks that read equally many, gathered and multiplied as one batch. Nothing waits for the host. */
export function attendOnDevice(site: Site, task: BlockTask): Tensor {
  const { tf, shape } = site;
  const { layout, group } = task;
  const source = sourceOf(site, task);
  const parts = blockRuns(site, task).map((run) => tf.tidy(() => attendRun(site, task, source, run)));
  return tf.slice(joinTensors(tf, parts, 1), [0, layout.lead, 0], [group.size, shape.queries, shape.headDim]);
}

function blockRuns({ shape }: Site, { layout, rule, group }: BlockTask): BlockRun[] {
  const runs: BlockRun[] = [];
  for (let t = 0; t < layout.queryBlocks; t++) {
    const slots = slotsOf(rule.kept, layout, shape.causal, t);
    const last = runs.at(-1);
    const room = Math.max(1, Math.floor(pairsAtOnce / (group.size * slots * layout.size ** 2)));
    if (last !== undefined && last.slots === slots && last.count < room) runs[runs.length - 1] = { ...last, count: last.count + 1 };
    else runs.push({ from: t, count: 1, slots });
  }
  return runs;
}

function sourceOf(site: Site, { group, layout }: BlockTask): Source {
  const { tf, shape, scale } = site;
  const { keyBlocks, size } = layout;
  const flat = (tensor: Tensor) => tf.reshape(wholeKeyBlocks(site, tensor, layout), [group.size * keyBlocks, size * shape.headDim]);
  const counted = countedKeys(site, group, layout);
  const perGroup = counted.shape[0] === group.size ? counted : tf.tile(counted, [group.size, 1, 1]);
  return {
    query: wholeQueryBlocks(site, tf.mul(group.query, scale), layout),
    key: flat(group.key),
    value: flat(group.value),
    bias: tf.reshape(biasOfMask(tf, perGroup), [group.size * keyBlocks, size]),
  };
}

function attendRun(site: Site, { group, layout, rule, choice }: BlockTask, source: Source, run: BlockRun): Tensor {
  const { tf, shape } = site;
  const { size, keyBlocks } = layout;
  const [matrices, columns] = [group.size * run.count, run.slots * size];
  const slots = largestSlots(tf, choice.score(run.from, run.count), rule.kept, run.slots);
  const start = tf.tensor3d(
    Int32Array.from({ length: group.size }, (_, head) => head * keyBlocks),
    [group.size, 1, 1],
    'int32',
  );
  const block = tf.reshape(tf.add(slots.index, start), [matrices * run.slots]);
  const gather = (tensor: Tensor) => tf.reshape(tf.gather(tensor, block), [matrices, columns, shape.headDim]);
  const rows = tf.slice(source.query, [0, run.from * size, 0], [group.size, run.count * size, shape.headDim]);
  const plain = tf.matMul(tf.reshape(rows, [matrices, size, shape.headDim]), gather(source.key), false, true);
  const score =
    choice.gate === undefined
      ? plain
      : correctSlots(site, plain, { gates: choice.gate(run.from, run.count), index: slots.index, layout, run });
  const closed = tf.add(
    tf.reshape(tf.gather(source.bias, block), [matrices, run.slots, size]),
    tf.reshape(slots.bias, [matrices, run.slots, 1]),
  );
  const keyBias = tf.reshape(closed, [matrices, 1, columns]);
  const bias = shape.causal ? tf.add(keyBias, laterKeys(site, slots.index, layout, run)) : keyBias;
  const seen = group.mask === undefined ? undefined : seenRows(site, bias);
  const output = attend(site, score, { bias, seen }, gather(source.value));
  return tf.reshape(output, [group.size, run.count * size, shape.headDim]);
}

/** The masked score for keys after the query: `[matrices, size, columns]`. */
function laterKeys({ tf }: Site, index: Tensor, { size, first }: BlockLayout, run: BlockRun): Tensor {
  const [group = 1] = index.shape;
  const matrices = group * run.count;
  const start = tf.reshape(tf.mul(tf.cast(index, 'float32'), size), [matrices, run.slots, 1]);
  const key = tf.reshape(tf.add(start, tf.range(0, size, 1, 'float32')), [matrices, 1, run.slots * size]);
  const position = tf.range((first + run.from) * size, (first + run.from + run.count) * size, 1, 'float32');
  const query = tf.tile(tf.reshape(position, [run.count, size, 1]), [group, 1, 1]);
  return tf.mul(tf.cast(tf.greater(key, query), 'float32'), maskedScore);
}

/** Corrects scores `[matrices, size, columns]` by their blocks' gates `[group, count, keyBlocks]`, the own block's excepted. */
function correctSlots(
  { tf, parameters }: Site,
  score: Tensor,
  { gates, index, layout, run }: { gates: Tensor; index: Tensor; layout: BlockLayout; run: BlockRun },
): Tensor {
  const { size, first, keyBlocks } = layout;
  const [matrices = 1] = score.shape;
  const row = tf.tensor2d(
    Int32Array.from({ length: matrices }, (_, matrix) => matrix * keyBlocks),
    [matrices, 1],
    'int32',
  );
  const flat = tf.add(tf.reshape(index, [matrices, run.slots]), row);
  const gate = tf.gather(tf.reshape(gates, [matrices * keyBlocks]), flat);
  const own = tf.tile(tf.reshape(tf.range(first + run.from, first + run.from + run.count, 1, 'float32'), [run.count, 1]), [
    matrices / run.count,
    1,
  ]);
  const other = tf.cast(tf.notEqual(tf.cast(tf.reshape(index, [matrices, run.slots]), 'float32'), own), 'float32');
  const bySlot = tf.reshape(score, [matrices, size, run.slots, size]);
  const spread = (unit: Tensor) => tf.reshape(unit, [matrices, 1, run.slots, 1]);
  if (parameters['form'] === 'log') return tf.reshape(tf.sub(bySlot, spread(tf.mul(other, tf.softplus(tf.neg(gate))))), score.shape);
  const unit = tf.add(tf.mul(other, tf.sigmoid(gate)), tf.sub(1, other));
  return tf.reshape(tf.mul(bySlot, spread(unit)), score.shape);
}
