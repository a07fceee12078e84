import { lanesCode } from './lanes-code.ts';

/** Inner loops that take two numbers at a time: assembly/ says what each does. Arrays are given by their byteOffset in the arena. */
interface Lanes {
  products(query: number, tiles: number, first: number, end: number, headDim: number, values: number): void;
  weigh(logits: number, length: number, largest: number, deficits: number, weights: number): number;
  attend(entries: number, length: number, keys: number, weights: number, values: number, width: number, sums: number): void;
  residual(sum: number, first: number, share: number, held: number, output: number, width: number): number;
  addRows(sums: number, values: number, width: number, list: number, count: number, factor: number): void;
  dealAndSort(packed: number, dealt: number, bucket: number, length: number, widest: number, fullest: number): number;
  decay(state: number, variance: number, size: number, gamma: number, roundoff: number): void;
  add(state: number, variance: number, rows: number, columns: number, key: number, mapped: number, value: number, stored: number): void;
  replace(variance: number, rows: number, columns: number, kept: number, square: number, uncertain: number): void;
  read(
    state: number,
    variance: number,
    rows: number,
    columns: number,
    query: number,
    mapped: number,
    value: number,
    squares: number,
    errors: number,
  ): void;
}

/** Of WebAssembly's interface what is used here: Node's types leave it to those of the browser. */
declare const WebAssembly: {
  Module: new (code: Uint8Array) => object;
  Memory: new (size: { initial: number }) => { readonly buffer: ArrayBuffer };
  Instance: new (module: object, imports: object) => { readonly exports: unknown };
};

let module: object | undefined;

const pageBytes = 65_536;
/** So that a pair behind an odd length is there, and no array begins within another's cache line. */
const alignment = 64;

/** Bytes that an array of so many takes in an arena. */
export function bytesInArena(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}

/** Memory of a fixed size for arrays that {@link Lanes} reads and writes. */
export class Arena {
  readonly lanes: Lanes;
  readonly #buffer: ArrayBuffer;
  #used = 0;

  /** @param bytes the sum of {@link bytesInArena} over its arrays */
  constructor(bytes: number) {
    module ??= new WebAssembly.Module(Buffer.from(lanesCode, 'base64'));
    const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / pageBytes) });
    this.#buffer = memory.buffer;
    this.lanes = new WebAssembly.Instance(module, { env: { memory } }).exports as Lanes;
  }

  float64(length: number): Float64Array {
    return new Float64Array(this.#buffer, this.#take(8 * length), length);
  }

  float32(length: number): Float32Array {
    return new Float32Array(this.#buffer, this.#take(4 * length), length);
  }

  int32(length: number): Int32Array {
    return new Int32Array(this.#buffer, this.#take(4 * length), length);
  }

  #take(bytes: number): number {
    const place = this.#used;
    this.#used += bytesInArena(bytes);
    return place;
  }
}
