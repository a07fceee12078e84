import { Arena, bytesInArena } from '../lanes/lanes.ts';

/** Deficits beyond this share the last bucket: e^−64 of the largest weight. */
const widestRange = 64;
/** Fuller buckets than this are left to the engine's sort. */
const fullestBucket = 32;

/**
 * Sorts the entries of row after row by ascending deficit without a comparator: each deficit's lowest bits give way to
 * its entry's index, the doubles are dealt to as many buckets as there are entries, and an insertion sort ends it; where
 * deficits crowd into one bucket, the engine's native sort of doubles does it all. A tie goes to the earlier entry; deficits
 * that agree to a relative 2⁻⁵²·entries (4096 entries: 1e-12) count as tied.
 */
export class FallingOrder {
  /** The entries in falling order; the first ones are valid, as many as were sorted last. */
  readonly entries: Int32Array;
  readonly #indexBits: number;
  readonly #arena: Arena;
  readonly #packed: Float64Array;
  /** Of each double the low half, then the high one: an arena is little-endian. */
  readonly #packedWords: Uint32Array;
  readonly #dealt: Float64Array;
  readonly #dealtWords: Uint32Array;
  readonly #bucket: Int32Array;

  /** Bytes that it takes of an arena. */
  static bytesInArena(capacity: number): number {
    return 2 * bytesInArena(4 * (capacity + 1)) + 2 * bytesInArena(8 * capacity);
  }

  constructor(capacity: number, arena: Arena = new Arena(FallingOrder.bytesInArena(capacity))) {
    this.#arena = arena;
    this.entries = arena.int32(capacity);
    this.#indexBits = 2 ** Math.ceil(Math.log2(Math.max(2, capacity))) - 1;
    this.#packed = arena.float64(capacity);
    this.#packedWords = new Uint32Array(this.#packed.buffer, this.#packed.byteOffset, 2 * capacity);
    this.#dealt = arena.float64(capacity);
    this.#dealtWords = new Uint32Array(this.#dealt.buffer, this.#dealt.byteOffset, 2 * capacity);
    this.#bucket = arena.int32(capacity + 1);
  }

  /** Orders the first `length` deficits, each ≥ 0 or Infinity. */
  sort(deficit: Float64Array, length: number): void {
    this.#pack(deficit, length);
    const { lanes } = this.#arena;
    const [packed, dealt, bucket] = [this.#packed.byteOffset, this.#dealt.byteOffset, this.#bucket.byteOffset];
    if (lanes.dealAndSort(packed, dealt, bucket, length, widestRange, fullestBucket) === 0) this.#dealt.subarray(0, length).sort();
    for (let rank = 0; rank < length; rank += 1) {
      this.entries[rank] = this.#dealtWords[2 * rank]! & this.#indexBits;
    }
  }

  #pack(deficit: Float64Array, length: number): void {
    const words = this.#packedWords;
    for (let entry = 0; entry < length; entry += 1) {
      // The largest double stands for Infinity, whose lowest bits set would read NaN.
      this.#packed[entry] = Math.min(deficit[entry]!, Number.MAX_VALUE);
      const low = 2 * entry;
      words[low] = ((words[low]! & ~this.#indexBits) | entry) >>> 0;
    }
  }
}
