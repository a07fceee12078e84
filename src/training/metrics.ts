import { AttnswapError } from '../contract/errors.ts';
import { logProbability } from './log-probability.ts';
import type { Task, TaskItems } from './task.ts';

type Logits = Float32Array | Float64Array;

/**
 * Every item's score, `[items]`, from logits `[items, length, classes]`. Accuracy: the share of its scored positions whose largest logit is the right
 * class, of equal ones the lowest. Bits: the mean of −log₂ p over them. A position with NaN is wrong, and worth infinitely many bits.
 * @throws INVALID_INPUTS for sizes that do not fit, and for an item without a scored position
 */
export function itemScores({ metric, classes }: Pick<Task, 'metric' | 'classes'>, batch: TaskItems, logits: Logits): number[] {
  const { items, length, targets } = batch;
  if (logits.length !== items * length * classes) throw metricsError(`${logits.length} logits, expected ${items} × ${length} × ${classes}`);
  const score = metric === 'accuracy' ? isRight : bitsOf;
  return Array.from({ length: items }, (_, item) => {
    let sum = 0;
    let scored = 0;
    for (let at = item * length; at < (item + 1) * length; at++) {
      const target = targets[at]!;
      if (target === -1) continue;
      if (target < 0 || target >= classes) throw metricsError(`target ${target} in item ${item}, expected -1 or a class below ${classes}`);
      sum += score(logits.subarray(at * classes, (at + 1) * classes), target);
      scored += 1;
    }
    if (scored === 0) throw metricsError(`item ${item} has no scored position`);
    return sum / scored;
  });
}

function metricsError(problem: string): AttnswapError {
  return new AttnswapError('INVALID_INPUTS', `scores: ${problem}`);
}

function isRight(logits: Logits, target: number): number {
  const right = logits[target]!;
  return Number(logits.every((logit, at) => (at < target ? logit < right : logit <= right)));
}

function bitsOf(logits: Logits, target: number): number {
  const bits = -logProbability(logits, target) / Math.LN2;
  return Number.isNaN(bits) ? Infinity : bits;
}
