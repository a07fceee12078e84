import { RandomStream } from '../../inputs/random.ts';
import type { Split, Task, TaskItems } from '../task.ts';
import { checkRequest, requestError } from './check-request.ts';
import { splitOf } from './split-of.ts';

/** Views of one item's places, each `[length]`, the source `[source length]`; targets hold −1 everywhere. */
export interface ItemBuffers {
  readonly tokens: Int32Array;
  readonly targets: Int32Array;
  /** The keys that matter to each position. */
  readonly relevant: Array<readonly number[]>;
  /** Empty where the task has none. */
  readonly source: Int32Array;
}

/** A task whose items are drawn, not read. */
export interface DrawnTask extends Omit<Task, 'items' | 'metric' | 'causal'> {
  /** @default true */
  readonly causal?: boolean;
  /** What decides an item's split. @default its tokens */
  readonly splitBy?: (item: ItemBuffers) => Int32Array;
  /** Of training and validation items, where it is another one. */
  readonly trainingLength?: number;
  /** Writes the stream's next item, and says how difficult it is where items are graded. */
  draw(stream: RandomStream, item: ItemBuffers, split: Split): number | void;
}

/** Draws of one item at most: a split holds one in eight, so that 2000 misses in a row (10⁻¹¹⁶) mean that there are few items at all. */
const mostDraws = 2000;

/** The task: causal if not told otherwise, measured by accuracy, its splits disjoint by {@link splitOf}. More items of a seed begin with the fewer. */
export function drawnTask({ draw, trainingLength, splitBy = ({ tokens }) => tokens, ...described }: DrawnTask): Task {
  const items = async (split: Split, count: number, seed: number): Promise<TaskItems> => {
    const { name, sourceLength = 0 } = described;
    const length = split === 'test' ? described.length : (trainingLength ?? described.length);
    checkRequest({ name, length }, { split, count, seed });
    const stream = new RandomStream(seed, `${name}/${split}`);
    const empty = (each: number) => new Int32Array(count * each).fill(-1);
    const all = { tokens: empty(length), targets: empty(length) };
    const source = empty(sourceLength);
    const relevant: Array<readonly number[]> = [];
    const grades: number[] = [];
    for (let item = 0; item < count; item++) {
      const drawn = itemOf({ ...all, source }, item, count);
      grades.push(drawInto(split, { name, draw, stream, splitBy }, drawn) ?? Number.NaN);
      for (const keys of drawn.relevant) relevant.push(keys);
    }
    const graded = Number.isNaN(grades[0]) ? {} : { difficulty: Int32Array.from(grades) };
    const from = sourceLength > 0 && { source: { length: sourceLength, tokens: source } };
    return { items: count, length, ...all, relevant, ...graded, ...from };
  };
  return { causal: true, ...described, metric: 'accuracy', items };
}

const none: readonly number[] = [];

/** One of `items`. */
function itemOf({ tokens, targets, source }: Omit<ItemBuffers, 'relevant'>, item: number, items: number): ItemBuffers {
  const row = (all: Int32Array) => all.subarray((item * all.length) / items, ((item + 1) * all.length) / items);
  const own = { tokens: row(tokens), targets: row(targets), source: row(source) };
  return { ...own, relevant: Array.from(own.tokens, () => none) };
}

type Drawing = Required<Pick<DrawnTask, 'name' | 'draw' | 'splitBy'>> & { readonly stream: RandomStream };

function drawInto(split: Split, from: Drawing, item: ItemBuffers): number | void {
  for (let draws = 0; draws < mostDraws; draws++) {
    item.targets.fill(-1);
    item.relevant.fill(none);
    const difficulty = from.draw(from.stream, item, split);
    if (splitOf(from.splitBy(item)) === split) return difficulty;
  }
  throw requestError(from.name, `no ${split} item in ${mostDraws} draws: its parameters allow too few distinct items`, 'make it larger');
}
