import type { OpenModel } from '../../contract/adapter.ts';
import type { Tensors } from '../../contract/tensor.ts';
import { tensorOf } from '../../inputs/model-inputs.ts';
import type { Cache } from './cache.ts';
import { call, idsIn, lastLogits, nextCall } from './drive.ts';

interface Stand {
  readonly feeds: Tensors;
  readonly outputs: Tensors;
}

/** A decoder that is led token by token behind a prompt of one batch element. */
export class Follower {
  readonly #model: OpenModel;
  readonly #cache: Cache;
  readonly #prompt: Tensors;
  #first: Stand | undefined;
  #at: Stand | undefined;

  constructor(model: OpenModel, cache: Cache, prompt: Tensors) {
    this.#model = model;
    this.#cache = cache;
    this.#prompt = prompt;
  }

  /** Stands behind the prompt, which runs once. */
  async begin(): Promise<void> {
    this.#first ??= await this.#run(this.#prompt);
    this.#at = this.#first;
  }

  /** Adds a token to the text. */
  async follow(id: number): Promise<void> {
    const { feeds, outputs } = this.#at!;
    this.#at = await this.#run(nextCall(this.#cache, feeds, outputs, tensorOf(idsIn(this.#cache, feeds).type, [1, 1], [id])));
  }

  /** Of the token that comes next. */
  get logits(): Float64Array {
    return Float64Array.from(lastLogits(this.#cache, this.#at!.outputs)[0]!);
  }

  async #run(feeds: Tensors): Promise<Stand> {
    return { feeds, outputs: await call(this.#model, feeds) };
  }
}
