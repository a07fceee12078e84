import { Arena, bytesInArena } from '../lanes/lanes.ts';

/** Keys of a tile, as in assembly/rows.ts. */
const tileKeys = 16;

interface Tiled {
  readonly arena: Arena;
  /** `[tiles, headDim, 16]`. */
  readonly tiles: Float32Array;
  /** `[headDim]`. */
  readonly query: Float64Array;
  /** `[16·tiles]`. */
  readonly values: Float64Array;
}

/** Products of the queries and keys of one head in float64. */
export class KeyProducts {
  /** `[queries, headDim]` and `[keys, headDim]`. */
  readonly #queries: Float32Array;
  readonly #keys: Float32Array;
  readonly #headDim: number;
  #tiled: Tiled | undefined;
  /** Products until keys are tiled. */
  #asked = 0;
  /** `[keys]`, of what is not tiled. */
  #plain: Float64Array | undefined;

  constructor(queries: Float32Array, keys: Float32Array, headDim: number) {
    this.#queries = queries;
    this.#keys = keys;
    this.#headDim = headDim;
  }

  /**
   * q·k_j of the keys of [start, end), each at its j; valid until the next call. Each is accumulated on its own, in order of the dimensions. To tile the
   * keys takes as long as one product of each, so they are tiled once as many were asked for.
   */
  of(query: number, start: number, end: number): Float64Array {
    const headDim = this.#headDim;
    const keys = this.#keys.length / headDim;
    if (this.#tiled === undefined) this.#asked += end - start;
    if (this.#asked <= keys || end - start < tileKeys) {
      const plain = (this.#plain ??= new Float64Array(keys));
      for (let j = start; j < end; j++) plain[j] = dotAt(this.#queries, query * headDim, this.#keys, j * headDim, headDim);
      return plain;
    }
    const { arena, tiles, query: vector, values } = (this.#tiled ??= tile(this.#keys, headDim));
    for (let m = 0; m < headDim; m++) vector[m] = this.#queries[query * headDim + m]!;
    const [first, last] = [Math.floor(start / tileKeys), Math.ceil(end / tileKeys)];
    arena.lanes.products(vector.byteOffset, tiles.byteOffset, first, last, headDim, values.byteOffset);
    return values;
  }
}

function tile(keys: Float32Array, headDim: number): Tiled {
  const count = keys.length / headDim;
  const padded = Math.ceil(count / tileKeys) * tileKeys;
  const arena = new Arena(bytesInArena(4 * padded * headDim) + bytesInArena(8 * headDim) + bytesInArena(8 * padded));
  const tiles = arena.float32(padded * headDim);
  for (let j = 0; j < count; j++) {
    const at = Math.floor(j / tileKeys) * tileKeys * headDim + (j % tileKeys);
    for (let m = 0; m < headDim; m++) tiles[at + m * tileKeys] = keys[j * headDim + m]!;
  }
  return { arena, tiles, query: arena.float64(headDim), values: arena.float64(padded) };
}

/** Σ a[aAt + m]·b[bAt + m] over `length` elements, in float64. */
export function dotAt(a: ArrayLike<number>, aAt: number, b: ArrayLike<number>, bAt: number, length: number): number {
  let sum = 0;
  for (let m = 0; m < length; m++) sum += a[aAt + m]! * b[bAt + m]!;
  return sum;
}
