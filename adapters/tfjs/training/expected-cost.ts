import type { ExitOutput } from '../../../src/training/answers.ts';
import { logProbability } from '../../../src/training/log-probability.ts';
import type { TaskItems } from '../../../src/training/task.ts';
import { exitsOf } from '../../../src/training/testbed.ts';
import type { Testbed } from '../../../src/training/testbed.ts';
import type { Tensor, Tf } from '../kernel.ts';
import { differentiable } from './differentiable.ts';
import { readOutput } from './model.ts';

/**
 * What an answer is expected to cost, nats, the mean over scored positions: see `layerCost` of a testbed; undefined where no heads decide who leaves.
 * Its gradient is written out: V = own·price + (1 − own)·V of what follows, from the last layer back.
 */
export function expectedCost(
  tf: Tf,
  testbed: Testbed,
  every: ReadonlyArray<ExitOutput<Tensor>>,
  { targets }: Pick<TaskItems, 'targets'>,
): Tensor | undefined {
  const { layerCost, classes } = testbed;
  const exits = exitsOf(testbed);
  if (layerCost === undefined || exits.length === 1) return undefined;
  const inputs = every.flatMap(({ logits, sure }) => (sure === undefined ? [logits] : [logits, sure]));
  return differentiable(tf, inputs, () => {
    const given = every.map(readOutput);
    const slopes = given.map(({ logits, sure }) => ({
      logits: new Float32Array(logits.length),
      sure: sure && new Float32Array(sure.length),
    }));
    const places = [...targets.keys()].filter((place) => targets[place]! >= 0);
    let total = 0;
    for (const place of places) {
      const rowOf = (values: Float32Array) => values.subarray(place * classes, (place + 1) * classes);
      const own = given.map(({ sure }) => sure?.[place] ?? 1);
      const prices = given.map(({ logits }, at) => layerCost * exits[at]!.layers - logProbability(rowOf(logits), targets[place]!));
      const ahead = [...prices, 0];
      for (let at = prices.length - 1; at >= 0; at--) ahead[at] = ahead[at + 1]! + own[at]! * (prices[at]! - ahead[at + 1]!);
      total += ahead[0]!;
      let reached = 1 / places.length;
      for (const [at, slope] of slopes.entries()) {
        if (slope.sure !== undefined) slope.sure[place] = reached * (prices[at]! - ahead[at + 1]!);
        const logits = rowOf(given[at]!.logits);
        for (const [column] of logits.entries())
          slope.logits[place * classes + column] =
            reached * own[at]! * (Math.exp(logProbability(logits, column)) - Number(column === targets[place]));
        reached *= 1 - own[at]!;
      }
    }
    const kept = slopes.flatMap(({ logits, sure }) => [
      tf.tensor2d(logits, [targets.length, classes]),
      ...(sure === undefined ? [] : [tf.tensor2d(sure, [targets.length, 1])]),
    ]);
    return { value: tf.scalar(total / places.length), keep: kept, slopes: (slope, each) => each.map((one) => tf.mul(slope, one)) };
  });
}
