import { Wager } from '../statistics/betting.ts';
import type { ItemDrift, OutputDrift } from './drift.ts';
import { watchingShare } from './item-mean.ts';
import { qualityTail } from './paired.ts';

/** Told of one item after another; answers whether enough is shown. */
export type Watch<Found> = (found: Found) => boolean;

export interface LossLimits {
  /** The largest loss that passes. */
  readonly allowed: number;
  /** From here on a loss is not worth tuning: there is nothing to be known beyond it. */
  readonly hopeless: number;
}

/**
 * Watches paired differences new − base of scores that lie within `reach` of each other: enough is shown once their mean loss is known to be allowed, hopeless, or
 * between both. One interval stands for all of these claims, so that they share its error.
 */
export function watchPaired({ allowed, hopeless }: LossLimits, reach: number): Watch<number> {
  const error = qualityTail * watchingShare;
  const gains = { allowed: new Wager({ mean: -allowed, floor: -reach }), hopeless: new Wager({ mean: -hopeless, floor: -reach }) };
  const losses = { allowed: new Wager({ mean: allowed, floor: -reach }), hopeless: new Wager({ mean: hopeless, floor: -reach }) };
  return (difference) => {
    for (const wager of Object.values(gains)) wager.add(difference);
    for (const wager of Object.values(losses)) wager.add(-difference);
    const between = losses.allowed.refutes(error) && gains.hopeless.refutes(error);
    return between || gains.allowed.refutes(error) || losses.hopeless.refutes(error);
  };
}

/**
 * Watches drift: enough is shown by a fault, or once any output's mean error is known to be hopeless. Of errors it is known only that none is
 * below 0, which lets no mean be shown to be small: what is not hopeless takes all items.
 */
export function watchDrift({ hopeless }: Pick<LossLimits, 'hopeless'>, tail: number): Watch<ItemDrift> {
  const wagers = new Map<string, Wager>();
  return (drift) => {
    if (drift.state === 'fault') return true;
    for (const output of drift.outputs) {
      const wager = wagers.get(output.output) ?? new Wager({ mean: hopeless, floor: 0 });
      wagers.set(output.output, wager);
      wager.add(errorOf(output));
    }
    return [...wagers.values()].some((wager) => wager.refutes(tail * watchingShare));
  };
}

function errorOf({ relativeError, agreement }: OutputDrift): number {
  return relativeError ?? 1 - (agreement ?? 0);
}

/** Watches what may differ by rounding alone: one item beyond `tolerance` is enough, and nothing else is. */
export function watchExact(tolerance: number): Watch<ItemDrift> {
  return (drift) => drift.state === 'fault' || drift.outputs.some(({ relativeError }) => (relativeError ?? 0) > tolerance);
}
