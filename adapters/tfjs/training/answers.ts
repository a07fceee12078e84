import type { Testbed } from '../../../src/contract/testbed.ts';
import { largestProbability } from '../../../src/training/log-probability.ts';
import { exitsOf } from '../../../src/training/testbed.ts';

/** What a model answers. */
export interface Answers {
  /** `[positions, classes]`. */
  readonly logits: Float32Array;
  /** Layers up to each position's answer, `[positions]`. */
  readonly layers: Float32Array;
}

/** Each position's first exit that is confident; the last layer answers whatever is left. `every`: logits `[positions, classes]` of all exits. */
export function answersOf(testbed: Testbed, every: readonly Float32Array[]): Answers {
  const { classes, attention } = testbed;
  const logits = every.at(-1)!.slice();
  const layers = new Float32Array(logits.length / classes).fill(attention.length);
  const early = exitsOf(testbed).slice(0, -1);
  for (const position of early.length > 0 ? layers.keys() : []) {
    const row = (values: Float32Array) => values.subarray(position * classes, (position + 1) * classes);
    const first = early.findIndex(({ confidence }, exit) => largestProbability(row(every[exit]!)) >= confidence);
    if (first < 0) continue;
    logits.set(row(every[first]!), position * classes);
    layers[position] = early[first]!.layers;
  }
  return { logits, layers };
}

/** Of each item's scored positions, the mean of a figure: both `[items, length]`. */
export function meanOfScored(figures: Float32Array, { targets, length }: { targets: Int32Array; length: number }): Float32Array {
  return Float32Array.from({ length: targets.length / length }, (_, item) => {
    let [sum, scored] = [0, 0];
    for (let position = item * length; position < (item + 1) * length; position++) {
      if (targets[position]! < 0) continue;
      sum += figures[position]!;
      scored += 1;
    }
    return sum / scored;
  });
}
