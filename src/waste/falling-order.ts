/**
 * Sorts the entries of row after row by ascending deficit without a comparator: each deficit's lowest bits give way to
 * its entry's index, and the engine's native sort of doubles does the rest. A tie goes to the earlier entry; deficits that
 * agree to a relative 2⁻⁵²·entries (4096 entries: 1e-12) count as tied.
 */
export class FallingOrder {
  /** The entries in falling order; the first ones are valid, as many as were sorted last. */
  readonly entries: Int32Array;
  readonly #packed: Float64Array;
  readonly #words: Uint32Array;
  readonly #indexBits: number;

  constructor(capacity: number) {
    this.entries = new Int32Array(capacity);
    this.#packed = new Float64Array(capacity);
    this.#words = new Uint32Array(this.#packed.buffer);
    this.#indexBits = 2 ** Math.ceil(Math.log2(Math.max(2, capacity))) - 1;
  }

  /** Orders the first `length` deficits, each ≥ 0 or Infinity. */
  sort(deficit: Float64Array, length: number): void {
    const packed = this.#packed;
    const words = this.#words;
    const indexBits = this.#indexBits;
    for (let entry = 0; entry < length; entry += 1) {
      // The largest double stands for Infinity, whose lowest bits set would read NaN.
      packed[entry] = Math.min(deficit[entry]!, Number.MAX_VALUE);
      const low = 2 * entry + lowWord;
      words[low] = ((words[low]! & ~indexBits) | entry) >>> 0;
    }
    packed.subarray(0, length).sort();
    for (let rank = 0; rank < length; rank += 1) this.entries[rank] = words[2 * rank + lowWord]! & indexBits;
  }
}

/** Where a double's low 32 bits lie on this machine. */
const lowWord = new Uint32Array(new Float64Array([1]).buffer)[0] === 0 ? 0 : 1;
