import type { Shape } from '../../../src/contract/shape.ts';
import type { Parameters } from '../../../src/contract/variant.ts';
import { ceilTimes, complementOf, decimalOf } from '../../../src/variants/decimal.ts';
import { blockLayout, blockMeans, blockSpeakers, countedKeys, emptyBias, wholeKeyBlocks } from '../blocks.ts';
import type { BlockLayout } from '../blocks.ts';
import { groupGate } from '../gate.ts';
import type { HeadGroup } from '../head-groups.ts';
import type { Call, Site, Tensor } from '../kernel.ts';
import { maskedScore } from '../selection.ts';
import type { KeptTable } from '../selection.ts';
import { selectedPairs } from '../block-rule.ts';
import type { BlockChoice } from '../block-rule.ts';
import { candidateBias, overSelectedBlocks } from '../selected-blocks.ts';

/** One gate for all pairs of two blocks: dropped blocks are neither scored nor read. */
export function planGatedBlocks(site: Site): Call {
  const size = Number(site.parameters['block']);
  const kept = keptTable(site.parameters, blockLayout(site.shape, size).keyBlocks);
  return overSelectedBlocks(site, { size, kept, choose: (group, layout) => choose(site, group, layout) });
}

/** q·k products of all heads. With `tau` the number of blocks depends on the data: an upper bound. */
export function gatedBlockPairs(parameters: Parameters, shape: Shape): number {
  const size = Number(parameters['block']);
  return shape.batch * shape.heads * selectedPairs(keptTable(parameters, blockLayout(shape, size).keyBlocks), shape, size);
}

/** The own block, and ⌈(1 − sparsity)·others⌉ others; with `tau` any number of those that are open enough. */
function keptTable({ sparsity, tau }: Parameters, keyBlocks: number): KeptTable {
  const share = complementOf(decimalOf(tau === undefined ? Number(sparsity ?? 0) : 0));
  return Array.from({ length: keyBlocks + 1 }, (_, allowed) => (allowed === 0 ? 0 : 1 + ceilTimes(share, allowed - 1)));
}

/** The own block is kept whatever it holds: its padded keys are masked one by one. */
function choose(site: Site, group: HeadGroup, layout: BlockLayout): BlockChoice {
  const { tf, parameters } = site;
  const { mean, tokens } = blockMeans(site, wholeKeyBlocks(site, group.key, layout), countedKeys(site, group, layout), layout.size);
  const gate = groupGate(site, group);
  const columns = tf.transpose(gate.columns(mean), [0, 2, 1]);
  const rows = gate.rows(blockSpeakers(site, group, layout));
  const empty = tf.reshape(emptyBias(site, tokens), [tokens.shape[0]!, 1, layout.keyBlocks]);
  const gates = (from: number, count: number): Tensor =>
    tf.add(tf.matMul(tf.slice(rows, [0, from, 0], [group.size, count, rows.shape[2]!]), columns), gate.b);
  const { tau } = parameters;
  const bias = { forOwn: -maskedScore * 4, forOther: () => 0, barred: maskedScore };
  return {
    gate: gates,
    score(from, count) {
      const logit = gates(from, count);
      const shut = tau === undefined ? undefined : tf.mul(tf.cast(tf.less(tf.sigmoid(logit), Number(tau)), 'float32'), maskedScore);
      const closed = shut === undefined ? empty : tf.add(shut, empty);
      return tf.add(tf.add(logit, closed), candidateBias(site, layout, { from, count }, bias));
    },
  };
}
