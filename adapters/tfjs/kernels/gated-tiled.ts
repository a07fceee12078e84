import type { Parameters } from '../../../src/contract/variant.ts';
import { ceilTimes, complementOf, decimalOf } from '../../../src/variants/decimal.ts';
import { gatesQueries } from '../../../src/variants/gated/parameters.ts';
import { cutOf } from '../cut.ts';
import { corrected, groupGate } from '../gate.ts';
import type { Call, Selects, Site, Tensor, TfjsKernel } from '../kernel.ts';
import { maskedScore } from '../selection.ts';
import type { KeptTable } from '../selection.ts';
import { attend, overTiles, tileBias, tiledPairs, tileEnd, tileScores } from '../tiles.ts';
import { gatedBlockPairs, planGatedBlocks } from './gated-blocks.ts';
import { planQueries } from './gated-queries.ts';

const tile = 128;

/** Gated attention: pair by pair, or query by query, over tiles of queries; with `block` > 1, over the kept blocks alone. */
export const gatedTiled: TfjsKernel = {
  variant: 'gated',
  kernel: 'tiled',
  summary: `block=1: tiles of ${tile} queries with n²·rank/d extra products; block>1: kept blocks only; form=query or output: all queries`,
  selects,
  scoredPairs: (parameters, shape) =>
    Number(parameters['block']) === 1 ? shape.batch * shape.heads * tiledPairs(shape, tile) : gatedBlockPairs(parameters, shape),
  plan(site) {
    if (gatesQueries(site.parameters['form'])) return planQueries(site, tile);
    return Number(site.parameters['block']) === 1 ? planPairs(site) : planGatedBlocks(site);
  },
};

function selects({ sparsity, tau, block }: Parameters): Selects {
  if (Number(block) > 1) return 'blocks';
  return tau !== undefined || Number(sparsity ?? 0) > 0 ? 'entries' : 'nothing';
}

function planPairs(site: Site): Call {
  const { tf, shape } = site;
  const kept = keptOf(site);
  return overTiles(site, tile, (group) => {
    const gate = groupGate(site, group.group);
    const gateRows = cutOf(site, gate.rows(group.group.query));
    const gateColumns = cutOf(site, tf.transpose(gate.columns(group.group.key), [0, 2, 1]));
    return (rows) => {
      const end = tileEnd(shape, rows);
      const logit = tf.matMul(gateRows.rows(rows.first, rows.rows), gateColumns.columns(0, end));
      const gates = tf.add(logit, gate.b);
      const score = corrected(site, tileScores(site, group, rows, end), gates);
      const { bias, seen } = tileBias(site, group, rows, end);
      const dropped = droppedBias(site, bias === undefined ? gates : tf.add(gates, bias), kept?.slice(0, end + 1));
      const both = bias !== undefined && dropped !== undefined ? tf.add(bias, dropped) : (dropped ?? bias);
      return attend(site, score, { bias: both, seen }, group.value.rows(0, end));
    };
  });
}

/** How many gates of a row stay: by `sparsity`, or with `tau` the one that always does; undefined where all stay. */
function keptOf({ parameters, shape }: Site): KeptTable | undefined {
  const { sparsity, tau } = parameters;
  if (tau === undefined && Number(sparsity ?? 0) === 0) return undefined;
  const share = tau === undefined ? complementOf(decimalOf(Number(sparsity))) : undefined;
  return Array.from({ length: shape.keys + 1 }, (_, allowed) => (share === undefined ? Math.min(1, allowed) : ceilTimes(share, allowed)));
}

/** 0 for pairs whose gate stays, the masked score for those that are dropped. `gates` of pairs that do not count are masked. */
function droppedBias({ tf, selection, parameters }: Site, gates: Tensor, kept: KeptTable | undefined): Tensor | undefined {
  if (kept === undefined) return undefined;
  const largest = selection.keepLargest(tf, gates, kept);
  const { tau } = parameters;
  if (tau === undefined) return largest;
  const shut = tf.cast(tf.less(tf.sigmoid(gates), Number(tau)), 'float32');
  return tf.maximum(largest, tf.mul(shut, maskedScore));
}
