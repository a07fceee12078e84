import type { Tensor, Tensors } from '../../src/contract/tensor.ts';
import { tensorOf } from '../../src/inputs/model-inputs.ts';
import { RandomStream } from '../../src/inputs/random.ts';
import type { ElementType } from '../models/protos.ts';

/** Random choices that follow from a seed and a name. */
export class Draw {
  readonly #stream: RandomStream;

  constructor(seed: number, name: string) {
    this.#stream = new RandomStream(seed, name);
    // The first number of this generator hardly depends on the seed.
    for (let skipped = 0; skipped < 8; skipped++) this.#stream.uniform();
  }

  pick<Choice>(choices: readonly Choice[]): Choice {
    return choices[this.whole(0, choices.length)]!;
  }

  chance(probability: number): boolean {
    return this.#stream.uniform() < probability;
  }

  /** A whole number from `low` up to, but not including, `high`. */
  whole(low: number, high: number): number {
    return low + Math.floor((high - low) * this.#stream.uniform());
  }

  normals(count: number, deviation = 1): Float32Array {
    return this.#stream.fillNormal(new Float32Array(count), deviation);
  }
}

/** One run of a drawn graph: its sizes, and a seed for every input. */
export interface Run {
  readonly batch: number;
  readonly queries: number;
  readonly keys: number;
  /** Counts the runs, so that inputs with few values can take each of them. */
  readonly number: number;
  readonly seed: number;
}

const tensorTypes = { f32: 'float32', i64: 'int64', i32: 'int32', u8: 'uint8', bool: 'bool' } as const;
export type InputType = keyof typeof tensorTypes & ElementType;

export function inputTensor(type: InputType, dims: readonly number[], value: (at: number) => number): Tensor {
  const count = dims.reduce((product, size) => product * size, 1);
  return tensorOf(
    tensorTypes[type],
    dims,
    Array.from({ length: count }, (_, at) => value(at)),
  );
}

export type Feeds = (run: Run) => Tensors;
