import { RandomStream } from '../../inputs/random.ts';
import type { Split, Task, TaskItems } from '../task.ts';
import { checkRequest, requestError } from './check-request.ts';
import { splitOf } from './split-of.ts';

/** Views of one item's places, each `[length]`; targets and relevant hold −1 everywhere. */
export interface ItemBuffers {
  readonly tokens: Int32Array;
  readonly targets: Int32Array;
  readonly relevant: Int32Array;
}

/** A task whose items are drawn, not read. */
export interface DrawnTask extends Omit<Task, 'items' | 'metric' | 'causal'> {
  /** Writes the stream's next item. */
  draw(stream: RandomStream, item: ItemBuffers): void;
}

/** Draws of one item at most: a split holds one in eight, so that 2000 misses in a row (10⁻¹¹⁶) mean that there are few items at all. */
const mostDraws = 2000;

/** The task: causal, measured by accuracy, its splits disjoint by {@link splitOf}. More items of a seed begin with the fewer. */
export function drawnTask({ draw, ...described }: DrawnTask): Task {
  const items = async (split: Split, count: number, seed: number): Promise<TaskItems> => {
    const { name, length } = described;
    checkRequest({ name, length }, { split, count, seed });
    const stream = new RandomStream(seed, `${name}/${split}`);
    const empty = () => new Int32Array(count * length).fill(-1);
    const all = { tokens: empty(), targets: empty(), relevant: empty() };
    for (let item = 0; item < count; item++) drawInto(split, { name, draw, stream }, itemOf(all, item, length));
    return { items: count, length, ...all };
  };
  return { ...described, causal: true, metric: 'accuracy', items };
}

function itemOf({ tokens, targets, relevant }: ItemBuffers, item: number, length: number): ItemBuffers {
  const [start, end] = [item * length, (item + 1) * length];
  return { tokens: tokens.subarray(start, end), targets: targets.subarray(start, end), relevant: relevant.subarray(start, end) };
}

function drawInto(split: Split, from: Pick<DrawnTask, 'name' | 'draw'> & { stream: RandomStream }, item: ItemBuffers): void {
  for (let draws = 0; draws < mostDraws; draws++) {
    item.targets.fill(-1);
    item.relevant.fill(-1);
    from.draw(from.stream, item);
    if (splitOf(item.tokens) === split) return;
  }
  throw requestError(from.name, `no ${split} item in ${mostDraws} draws: its parameters allow too few distinct items`, 'make it larger');
}
