import type { RankCost, Scaling } from '../migration/scaling.ts';
import { shardedBytes } from '../migration/scaling.ts';
import { digits, percent, size, time } from '../text/figures.ts';
import { table, wrapped } from '../text/layout.ts';
import { visible } from '../text/untrusted.ts';

/** What several ranks cost and gain, by attention; of the ranks, what the worst of them takes. */
export function scalingText({ ranks: count, threads, attentions }: Scaling, by: string, short: (name: string) => string): string {
  const measured = attentions.filter((each) => 'ranks' in each);
  const failures = attentions.flatMap((each) => ('failure' in each ? `${short(each.candidate)}: not timed: ${visible(each.failure)}` : []));
  const most = (ranks: readonly RankCost[], of: (cost: RankCost) => number | null) => Math.max(...ranks.map((cost) => of(cost) ?? 0));
  const steps = measured.map(({ candidate, alone, ranks, efficiency: { estimate, low, high } }) => [
    short(candidate),
    `${time(alone.stepNs)} → ${time(most(ranks, ({ stepNs }) => stepNs))}`,
    `${digits(alone.tokensPerSecond)} → ${digits(ranks.reduce((sum, { tokensPerSecond }) => sum + tokensPerSecond, 0))}`,
    `${percent(estimate)} (${percent(low)} … ${percent(high)})`,
  ]);
  const held = measured.map(({ candidate, alone, ranks }) => [
    short(candidate),
    `${size(shardedBytes(alone))} → ${size(most(ranks, shardedBytes))}`,
    alone.peakBytes === null ? '–' : `${size(alone.peakBytes)} → ${size(most(ranks, ({ peakBytes }) => peakBytes))}`,
    percent(most(ranks, ({ communicationShare }) => communicationShare)),
  ]);
  return [
    `Training: one process → ${count} ranks (${by}), ${threads} thread${threads === 1 ? '' : 's'} each, same batches`,
    table([['attention', 'step', 'tokens/s', 'scaling efficiency'], ...steps]),
    table([['attention', 'parameters, gradients, optimizer', 'peak memory', 'communication'], ...held]),
    wrapped('scaling efficiency: speed-up ÷ ranks (95 % interval); the second table is per process'),
    ...failures,
  ].join('\n');
}
