import { Wager } from '../statistics/betting.ts';
import { itemsNeeded } from './bounded-mean.ts';
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

export interface ExactWatch {
  readonly tolerance: number;
  /** The largest share of items that may differ by more. */
  readonly share: number;
  /** Whether one that does is a fault; else the model is judged like any other, on all items. */
  readonly isFault: boolean;
  /** How many items come first that were not chosen by chance, and do not count. */
  readonly chosen: number;
}

/**
 * Watches what should differ by no more than rounding. A faulty item is enough; where none is, enough is shown once so many without fault leave less than `share` for
 * faults that were not seen: (1 − share)ⁿ is the chance that n items show none where a share of them is faulty, whenever one looks.
 */
export function watchExact({ tolerance, share, isFault, chosen }: ExactWatch): Watch<ItemDrift> {
  const needed = chosen + itemsNeeded(share, qualityTail);
  let seen = 0;
  let differs = false;
  return (drift) => {
    if (drift.state === 'fault') return true;
    seen += 1;
    const beyond = drift.outputs.some(({ relativeError }) => (relativeError ?? 0) > tolerance);
    // Labels are judged by the share that changes, over all items.
    differs ||= beyond || drift.outputs.some(({ kind, agreement }) => kind === 'labels' && agreement !== 1);
    return beyond && isFault ? true : !differs && seen >= needed;
  };
}
