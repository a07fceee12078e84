import { ceilTimes, complementOf, decimalOf } from '../../../src/variants/decimal.ts';
import { groupGate } from '../gate.ts';
import type { HeadGroup } from '../head-groups.ts';
import type { Call, Site, Tensor } from '../kernel.ts';
import { leastScore } from '../selection.ts';
import { attend, overTiles, tileBias, tileEnd, tileScores } from '../tiles.ts';

/** Gates of queries around dense attention in tiles of `tile`: every row is computed, and zeroed where its gate is closed. */
export function planQueries(site: Site, tile: number): Call {
  const { tf, shape, parameters } = site;
  return overTiles(site, tile, (group) => {
    const gates = queryGates(site, group.group);
    const open = tf.sigmoid(gates);
    const stays = staysOpen(site, gates, open);
    return (rows) => {
      const end = tileEnd(shape, rows);
      const cut = (column: Tensor) => tf.slice(column, [0, rows.first, 0], [-1, rows.rows, 1]);
      const score = tileScores(site, group, rows, end);
      const given = parameters['form'] === 'query' ? tf.mul(score, cut(open)) : score;
      const output = attend(site, given, tileBias(site, group, rows, end), group.value.rows(0, end));
      const scaled = parameters['form'] === 'output' ? tf.mul(output, cut(open)) : output;
      return stays === undefined ? scaled : tf.mul(scaled, cut(stays));
    };
  });
}

/** γ of each query, `[size, queries, 1]`. */
function queryGates(site: Site, group: HeadGroup): Tensor {
  const { rows, b } = groupGate(site, group);
  return site.tf.add(site.tf.sum(rows(group.query), -1, true), b);
}

/** f32 `[size, queries, 1]`: 0 where a gate is closed; undefined where none is. Reshaped, as tfjs 4.22 on WebGPU cannot transpose what was cast from bool. */
function staysOpen({ tf, shape, selection, parameters }: Site, gates: Tensor, open: Tensor): Tensor | undefined {
  const { sparsity, tau } = parameters;
  if (tau !== undefined) return tf.cast(tf.greaterEqual(open, Number(tau)), 'float32');
  if (Number(sparsity) === 0) return undefined;
  const share = complementOf(decimalOf(Number(sparsity)));
  const kept = Array.from({ length: shape.queries + 1 }, (_, queries) => ceilTimes(share, queries));
  const bias = selection.keepLargest(tf, tf.reshape(gates, [-1, 1, shape.queries]), kept);
  return tf.reshape(tf.cast(tf.greater(bias, leastScore), 'float32'), [-1, shape.queries, 1]);
}
