/** Where a double's low 32 bits lie on this machine. */
const lowWord = new Uint32Array(new Float64Array([1]).buffer)[0] === 0 ? 0 : 1;
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
  readonly #packed: Float64Array;
  readonly #packedWords: Uint32Array;
  readonly #dealt: Float64Array;
  readonly #dealtWords: Uint32Array;
  /** End of each bucket while counting, its next place while dealing. */
  readonly #bucket: Int32Array;

  constructor(capacity: number, entries: Int32Array = new Int32Array(capacity)) {
    this.entries = entries;
    this.#indexBits = 2 ** Math.ceil(Math.log2(Math.max(2, capacity))) - 1;
    this.#packed = new Float64Array(capacity);
    this.#packedWords = new Uint32Array(this.#packed.buffer);
    this.#dealt = new Float64Array(capacity);
    this.#dealtWords = new Uint32Array(this.#dealt.buffer);
    this.#bucket = new Int32Array(capacity + 1);
  }

  /** Orders the first `length` deficits, each ≥ 0 or Infinity. */
  sort(deficit: Float64Array, length: number): void {
    this.#pack(deficit, length);
    if (this.#deal(length) > fullestBucket) this.#dealt.subarray(0, length).sort();
    else insertionSort(this.#dealt, length);
    for (let rank = 0; rank < length; rank += 1) {
      this.entries[rank] = this.#dealtWords[2 * rank + lowWord]! & this.#indexBits;
    }
  }

  #pack(deficit: Float64Array, length: number): void {
    const words = this.#packedWords;
    for (let entry = 0; entry < length; entry += 1) {
      // The largest double stands for Infinity, whose lowest bits set would read NaN.
      this.#packed[entry] = Math.min(deficit[entry]!, Number.MAX_VALUE);
      const low = 2 * entry + lowWord;
      words[low] = ((words[low]! & ~this.#indexBits) | entry) >>> 0;
    }
  }

  /** Deals the packed deficits to buckets of equal width, in order; returns how many the fullest holds. */
  #deal(length: number): number {
    const packed = this.#packed;
    const bucket = this.#bucket;
    let range = 0;
    for (let entry = 0; entry < length; entry += 1) range = Math.max(range, packed[entry]!);
    const scale = (length - 1) / Math.min(range, widestRange);
    bucket.fill(0, 0, length + 1);
    for (let entry = 0; entry < length; entry += 1) bucket[bucketOf(packed[entry]!, scale, length) + 1]! += 1;
    let fullest = 0;
    for (let index = 1; index <= length; index += 1) {
      fullest = Math.max(fullest, bucket[index]!);
      bucket[index]! += bucket[index - 1]!;
    }
    for (let entry = 0; entry < length; entry += 1) {
      this.#dealt[bucket[bucketOf(packed[entry]!, scale, length)]!++] = packed[entry]!;
    }
    return fullest;
  }
}

function bucketOf(deficit: number, scale: number, buckets: number): number {
  return Math.min(buckets - 1, Math.floor(deficit * scale)) | 0;
}

/** Cheap where every value is near its place already. */
function insertionSort(values: Float64Array, length: number): void {
  for (let next = 1; next < length; next += 1) {
    const value = values[next]!;
    let place = next;
    for (; place > 0 && values[place - 1]! > value; place -= 1) values[place] = values[place - 1]!;
    values[place] = value;
  }
}
