import { endianness } from 'node:os';
import { AttnswapError } from '../contract/errors.ts';
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
/** Of a memory whose addresses have 32 bits. */
const mostPages = 65_536;
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

  /**
   * @param bytes the sum of {@link bytesInArena} over its arrays
   * @throws UNSUPPORTED where there is no WebAssembly with vectors; WORKER_FAILED where memory does not suffice
   */
  constructor(bytes: number) {
    module ??= compiled();
    const memory = memoryOf(bytes);
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

function compiled(): object {
  if (endianness() !== 'LE')
    throw new AttnswapError('UNSUPPORTED', `the float64 reference needs a little-endian processor, got ${process.arch}`);
  try {
    return new WebAssembly.Module(Buffer.from(lanesCode, 'base64'));
  } catch (cause) {
    const hint = 'run Node without --jitless, on a processor with vector instructions (x86: SSE4.1)';
    throw new AttnswapError('UNSUPPORTED', `the float64 reference needs WebAssembly with vectors: ${(cause as Error).message}`, {
      hint,
      cause,
    });
  }
}

function memoryOf(bytes: number): { readonly buffer: ArrayBuffer } {
  const initial = Math.ceil(bytes / pageBytes);
  try {
    if (!(initial <= mostPages)) throw new RangeError('more than 4 GiB');
    return new WebAssembly.Memory({ initial });
  } catch (cause) {
    const what = `the float64 reference needs ${Math.ceil(bytes / 1e6)} MB at once: ${(cause as Error).message}`;
    throw new AttnswapError('WORKER_FAILED', what, { hint: 'measure fewer tokens, or free memory', cause });
  }
}
