import type { Tensor, Tf } from '../kernel.ts';

type Place = (values: Float32Array, shape: number[]) => Tensor;

/** Tensors that are the same in every step. */
export interface Constants {
  /** What `make` placed for this name, made when it is first asked for and kept. */
  once<T>(name: string, make: (place: Place) => T): T;
}

export function constantsOn(tf: Tf): Constants {
  const made = new Map<string, unknown>();
  const place: Place = (values, shape) => tf.keep(tf.tensor(values, shape, 'float32'));
  return {
    once<T>(name: string, make: (place: Place) => T): T {
      if (!made.has(name)) made.set(name, make(place));
      return made.get(name) as T;
    },
  };
}
