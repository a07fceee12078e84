import type { OpenModel } from '../contract/adapter.ts';
import type { Item } from '../contract/data.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { Tensors } from '../contract/tensor.ts';

/** What may be kept, bytes: beyond it the original runs anew for each candidate. */
const mostBytes = 512 * 2 ** 20;

/** What the original gives on an item. @throws INVALID_DATA where it does not run on it */
export type OutputsOf = (item: Item) => Promise<Tensors>;

/** Outputs of the original, which every candidate and assignment is held against: it runs once an item, as long as there is room. */
export class OriginalOutputs {
  readonly #open: () => Promise<OpenModel>;
  readonly #mostBytes: number;
  readonly #kept = new Map<Item, Tensors>();
  #bytes = 0;

  constructor(open: () => Promise<OpenModel>, most = mostBytes) {
    this.#open = open;
    this.#mostBytes = most;
  }

  /** Opens the original on the first item whose outputs are not kept. */
  async using<Result>(work: (outputsOf: OutputsOf) => Promise<Result>): Promise<Result> {
    let opened: OpenModel | undefined;
    try {
      return await work(async (item) => this.#kept.get(item) ?? this.#keep(item, await runOn((opened ??= await this.#open()), item)));
    } finally {
      await opened?.dispose();
    }
  }

  #keep(item: Item, outputs: Tensors): Tensors {
    const bytes = Object.values(outputs).reduce((sum, { data }) => sum + data.byteLength, 0);
    if (this.#bytes + bytes > this.#mostBytes) return outputs;
    this.#bytes += bytes;
    this.#kept.set(item, outputs);
    return outputs;
  }
}

/** One call of the original. @throws INVALID_DATA where it does not run on the item */
export async function runOn(original: OpenModel, { id, feeds }: Item): Promise<Tensors> {
  try {
    const bound = original.bind(feeds);
    await bound.run();
    return bound.outputs();
  } catch (error) {
    throw doesNotRun(id, error);
  }
}

/** What the runtime says of an item that the original does not run on, as an error with a name. */
export function doesNotRun(item: string, error: unknown): AttnswapError {
  // A worker gives the runtime's own words so.
  if (error instanceof AttnswapError && error.code !== 'WORKER_FAILED') return error;
  const [said = ''] = (error as Error).message.split('\n');
  return new AttnswapError('INVALID_DATA', `the model does not run on item ${item}: ${said}`, {
    hint: 'the model may accept fewer tokens; try smaller --lengths',
    cause: error,
  });
}
