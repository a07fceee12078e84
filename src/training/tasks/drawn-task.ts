import { RandomStream } from '../../inputs/random.ts';
import type { Split, Task, TaskItems } from '../task.ts';
import { checkRequest, requestError } from './check-request.ts';
import { splitOf } from './split-of.ts';

/** Views of one item's places, each `[length]`, the source `[source length]`; targets and relevant hold −1 everywhere. */
export interface ItemBuffers {
  readonly tokens: Int32Array;
  readonly targets: Int32Array;
  readonly relevant: Int32Array;
  /** Empty where the task has none. */
  readonly source: Int32Array;
}

/** A task whose items are drawn, not read. */
export interface DrawnTask extends Omit<Task, 'items' | 'metric' | 'causal'> {
  /** Of training and validation items, where it is another one. */
  readonly trainingLength?: number;
  /** Writes the stream's next item, and says how difficult it is where items are graded. */
  draw(stream: RandomStream, item: ItemBuffers): number | void;
}

/** Draws of one item at most: a split holds one in eight, so that 2000 misses in a row (10⁻¹¹⁶) mean that there are few items at all. */
const mostDraws = 2000;

/** The task: causal, measured by accuracy, its splits disjoint by {@link splitOf}. More items of a seed begin with the fewer. */
export function drawnTask({ draw, trainingLength, ...described }: DrawnTask): Task {
  const items = async (split: Split, count: number, seed: number): Promise<TaskItems> => {
    const { name, translation } = described;
    const length = split === 'test' ? described.length : (trainingLength ?? described.length);
    const sourceLength = translation?.sourceLength ?? 0;
    checkRequest({ name, length }, { split, count, seed });
    const stream = new RandomStream(seed, `${name}/${split}`);
    const empty = (each: number) => new Int32Array(count * each).fill(-1);
    const { source, ...all } = { tokens: empty(length), targets: empty(length), relevant: empty(length), source: empty(sourceLength) };
    const grades: number[] = [];
    for (let item = 0; item < count; item++)
      grades.push(drawInto(split, { name, draw, stream }, itemOf({ ...all, source }, item, count)) ?? Number.NaN);
    const graded = Number.isNaN(grades[0]) ? {} : { difficulty: Int32Array.from(grades) };
    return { items: count, length, ...all, ...graded, ...(sourceLength > 0 && { source: { length: sourceLength, tokens: source } }) };
  };
  return { ...described, causal: true, metric: 'accuracy', items };
}

/** One of `items`. */
function itemOf({ tokens, targets, relevant, source }: ItemBuffers, item: number, items: number): ItemBuffers {
  const row = (all: Int32Array) => all.subarray((item * all.length) / items, ((item + 1) * all.length) / items);
  return { tokens: row(tokens), targets: row(targets), relevant: row(relevant), source: row(source) };
}

function drawInto(split: Split, from: Pick<DrawnTask, 'name' | 'draw'> & { stream: RandomStream }, item: ItemBuffers): number | void {
  for (let draws = 0; draws < mostDraws; draws++) {
    item.targets.fill(-1);
    item.relevant.fill(-1);
    const difficulty = from.draw(from.stream, item);
    if (splitOf(item.tokens) === split) return difficulty;
  }
  throw requestError(from.name, `no ${split} item in ${mostDraws} draws: its parameters allow too few distinct items`, 'make it larger');
}
