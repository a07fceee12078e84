/* Rows of pairs, and what is added up over them. */

/** Keys of a tile, in which a dimension of all lies side by side. */
const tileKeys: usize = 16;

/**
 * values[j] = Σ_m query[m]·key_j[m] for the keys of tiles [first, end), in order of m.
 * @param query f64 `[headDim]`
 * @param tiles f32 `[tiles, headDim, 16]`
 * @param values f64 `[16·tiles]`
 */
export function products(query: usize, tiles: usize, first: usize, end: usize, headDim: usize, values: usize): void {
  let key = tiles + first * headDim * (tileKeys * 4);
  let out = values + first * (tileKeys * 8);
  for (let tile = first; tile < end; tile++) {
    let a = f64x2.splat(0);
    let b = a;
    let c = a;
    let d = a;
    let e = a;
    let f = a;
    let g = a;
    let h = a;
    for (let m: usize = 0; m < headDim; m++) {
      const component = v128.load_splat<u64>(query + m * 8);
      a = f64x2.add(a, f64x2.mul(component, f64x2.promote_low_f32x4(v128.load_zero<u64>(key))));
      b = f64x2.add(b, f64x2.mul(component, f64x2.promote_low_f32x4(v128.load_zero<u64>(key, 8))));
      c = f64x2.add(c, f64x2.mul(component, f64x2.promote_low_f32x4(v128.load_zero<u64>(key, 16))));
      d = f64x2.add(d, f64x2.mul(component, f64x2.promote_low_f32x4(v128.load_zero<u64>(key, 24))));
      e = f64x2.add(e, f64x2.mul(component, f64x2.promote_low_f32x4(v128.load_zero<u64>(key, 32))));
      f = f64x2.add(f, f64x2.mul(component, f64x2.promote_low_f32x4(v128.load_zero<u64>(key, 40))));
      g = f64x2.add(g, f64x2.mul(component, f64x2.promote_low_f32x4(v128.load_zero<u64>(key, 48))));
      h = f64x2.add(h, f64x2.mul(component, f64x2.promote_low_f32x4(v128.load_zero<u64>(key, 56))));
      key += tileKeys * 4;
    }
    v128.store(out, a);
    v128.store(out, b, 16);
    v128.store(out, c, 32);
    v128.store(out, d, 48);
    v128.store(out, e, 64);
    v128.store(out, f, 80);
    v128.store(out, g, 96);
    v128.store(out, h, 112);
    out += tileKeys * 8;
  }
}

/**
 * deficits[i] = largest − logits[i] and weights[i] = e^−deficits[i], `length` of each (rounded up to even, they must be there).
 * @returns the sum of the weights, in their order
 */
export function weigh(logits: usize, length: usize, largest: f64, deficits: usize, weights: usize): f64 {
  const most = f64x2.splat(largest);
  let total: f64 = 0;
  for (let i: usize = 0; i < length; i += 2) {
    const deficit = f64x2.sub(most, v128.load(logits + i * 8));
    const weight = exponential(f64x2.neg(deficit));
    v128.store(deficits + i * 8, deficit);
    v128.store(weights + i * 8, weight);
    total += f64x2.extract_lane(weight, 0);
    if (i + 1 < length) total += f64x2.extract_lane(weight, 1);
  }
  return total;
}

/*
 * e^x for x ≤ 0, or NaN: FreeBSD's e_exp.c (fdlibm), as Math.exp of V8 is, without its branches.
 *
 * ====================================================
 * Copyright (C) 2004 by Sun Microsystems, Inc. All rights reserved.
 *
 * Permission to use, copy, modify, and distribute this
 * software is freely granted, provided that this notice
 * is preserved.
 * ====================================================
 */
// @ts-ignore: decorator
@inline
function exponential(x: v128): v128 {
  const k = f64x2.trunc(f64x2.sub(f64x2.mul(f64x2.splat(1.442695040888963387), x), f64x2.splat(0.5)));
  const high = f64x2.sub(x, f64x2.mul(k, f64x2.splat(6.93147180369123816490e-1)));
  const low = f64x2.mul(k, f64x2.splat(1.90821492927058770002e-10));
  const r = f64x2.sub(high, low);
  const t = f64x2.mul(r, r);
  let p = f64x2.add(f64x2.splat(-1.65339022054652515390e-6), f64x2.mul(t, f64x2.splat(4.13813679705723846039e-8)));
  p = f64x2.add(f64x2.splat(6.61375632143793436117e-5), f64x2.mul(t, p));
  p = f64x2.add(f64x2.splat(-2.77777777770155933842e-3), f64x2.mul(t, p));
  p = f64x2.add(f64x2.splat(1.66666666666666019037e-1), f64x2.mul(t, p));
  const c = f64x2.sub(r, f64x2.mul(t, p));
  const quotient = f64x2.div(f64x2.mul(r, c), f64x2.sub(f64x2.splat(2), c));
  const y = f64x2.sub(f64x2.splat(1), f64x2.sub(f64x2.sub(low, quotient), high));
  // Below the normal numbers, 2^k is reached in two steps.
  const isFaint = f64x2.lt(k, f64x2.splat(-1021));
  const power = f64x2.add(k, v128.and(isFaint, f64x2.splat(1000)));
  const scaled = f64x2.mul(y, i64x2.shl(f64x2.add(power, f64x2.splat(4503599627370496 + 1023)), 52));
  const rest = v128.bitselect(f64x2.splat(9.33263618503218878990e-302), f64x2.splat(1), isFaint);
  return v128.andnot(f64x2.mul(scaled, rest), f64x2.lt(x, f64x2.splat(-745.133219101941108420)));
}

/** Entries whose sums are kept as one. */
const blockEntries: usize = 16;

/**
 * Σ w·v of the first 16, 32, … of `length` entries in their order, four at a time.
 * @param entries i32 `[length]`: their order
 * @param keys i32: the row of values of each entry
 * @param weights f64: of each entry
 * @param values f64 `[rows, width]`
 * @param width a multiple of 8
 * @param sums f64 `[1 + blocks, width]`, the first of them zeros
 */
export function attend(entries: usize, length: usize, keys: usize, weights: usize, values: usize, width: usize, sums: usize): void {
  const rowBytes = width * 8;
  for (let from: usize = 0; from < length; from += blockEntries) {
    const count = min(blockEntries, length - from);
    const list = entries + from * 4;
    for (let m: usize = 0; m < rowBytes; m += 64) {
      let a = v128.load(sums + m);
      let b = v128.load(sums + m, 16);
      let c = v128.load(sums + m, 32);
      let d = v128.load(sums + m, 48);
      let i: usize = 0;
      for (; i + 4 <= count; i += 4) {
        const e0 = <usize>load<i32>(list + i * 4);
        const e1 = <usize>load<i32>(list + i * 4, 4);
        const e2 = <usize>load<i32>(list + i * 4, 8);
        const e3 = <usize>load<i32>(list + i * 4, 12);
        const w0 = v128.load_splat<u64>(weights + e0 * 8);
        const w1 = v128.load_splat<u64>(weights + e1 * 8);
        const w2 = v128.load_splat<u64>(weights + e2 * 8);
        const w3 = v128.load_splat<u64>(weights + e3 * 8);
        const v0 = values + <usize>load<i32>(keys + e0 * 4) * rowBytes + m;
        const v1 = values + <usize>load<i32>(keys + e1 * 4) * rowBytes + m;
        const v2 = values + <usize>load<i32>(keys + e2 * 4) * rowBytes + m;
        const v3 = values + <usize>load<i32>(keys + e3 * 4) * rowBytes + m;
        a = four(a, w0, v128.load(v0), w1, v128.load(v1), w2, v128.load(v2), w3, v128.load(v3));
        b = four(b, w0, v128.load(v0, 16), w1, v128.load(v1, 16), w2, v128.load(v2, 16), w3, v128.load(v3, 16));
        c = four(c, w0, v128.load(v0, 32), w1, v128.load(v1, 32), w2, v128.load(v2, 32), w3, v128.load(v3, 32));
        d = four(d, w0, v128.load(v0, 48), w1, v128.load(v1, 48), w2, v128.load(v2, 48), w3, v128.load(v3, 48));
      }
      for (; i < count; i++) {
        const entry = <usize>load<i32>(list + i * 4);
        const w = v128.load_splat<u64>(weights + entry * 8);
        const v = values + <usize>load<i32>(keys + entry * 4) * rowBytes + m;
        a = f64x2.add(a, f64x2.mul(w, v128.load(v)));
        b = f64x2.add(b, f64x2.mul(w, v128.load(v, 16)));
        c = f64x2.add(c, f64x2.mul(w, v128.load(v, 32)));
        d = f64x2.add(d, f64x2.mul(w, v128.load(v, 48)));
      }
      v128.store(sums + rowBytes + m, a);
      v128.store(sums + rowBytes + m, b, 16);
      v128.store(sums + rowBytes + m, c, 32);
      v128.store(sums + rowBytes + m, d, 48);
    }
    sums += rowBytes;
  }
}

// @ts-ignore: decorator
@inline
function four(sum: v128, w0: v128, v0: v128, w1: v128, v1: v128, w2: v128, v2: v128, w3: v128, v3: v128): v128 {
  const pair = f64x2.add(f64x2.mul(w2, v2), f64x2.mul(w3, v3));
  return f64x2.add(f64x2.add(f64x2.add(sum, f64x2.mul(w0, v0)), f64x2.mul(w1, v1)), pair);
}

/**
 * ‖sum + share·first − held·output‖², even and odd dimensions added up apart.
 * @param width of each of the three, f64; even
 */
export function residual(sum: usize, first: usize, share: f64, held: f64, output: usize, width: usize): f64 {
  const shares = f64x2.splat(share);
  const helds = f64x2.splat(held);
  let square = f64x2.splat(0);
  for (let m: usize = 0; m < width * 8; m += 16) {
    const moved = f64x2.add(v128.load(sum + m), f64x2.mul(shares, v128.load(first + m)));
    const distance = f64x2.sub(moved, f64x2.mul(helds, v128.load(output + m)));
    square = f64x2.add(square, f64x2.mul(distance, distance));
  }
  return f64x2.extract_lane(square, 0) + f64x2.extract_lane(square, 1);
}

/**
 * sums[c] += Σ factor·values[row, c] of the rows listed, four at a time.
 * @param list i32 `[count]`
 * @param values f64 `[rows, width]`, of an even width
 */
export function addRows(sums: usize, values: usize, width: usize, list: usize, count: usize, factor: f64): void {
  const rowBytes = width * 8;
  const f = f64x2.splat(factor);
  let i: usize = 0;
  for (; i + 4 <= count; i += 4) {
    const a = values + <usize>load<i32>(list + i * 4) * rowBytes;
    const b = values + <usize>load<i32>(list + i * 4, 4) * rowBytes;
    const c = values + <usize>load<i32>(list + i * 4, 8) * rowBytes;
    const d = values + <usize>load<i32>(list + i * 4, 12) * rowBytes;
    for (let at: usize = 0; at < rowBytes; at += 16) {
      let sum = f64x2.add(v128.load(sums + at), f64x2.mul(f, v128.load(a + at)));
      sum = f64x2.add(sum, f64x2.mul(f, v128.load(b + at)));
      sum = f64x2.add(sum, f64x2.mul(f, v128.load(c + at)));
      v128.store(sums + at, f64x2.add(sum, f64x2.mul(f, v128.load(d + at))));
    }
  }
  for (; i < count; i++) {
    const a = values + <usize>load<i32>(list + i * 4) * rowBytes;
    for (let at: usize = 0; at < rowBytes; at += 16) {
      v128.store(sums + at, f64x2.add(v128.load(sums + at), f64x2.mul(f, v128.load(a + at))));
    }
  }
}


/**
 * Deals positive doubles to as many buckets of equal width, in order, and then sorts them where every bucket is nearly empty.
 * @param packed f64 `[length]`, dealt the same
 * @param bucket i32 `[length + 1]`
 * @param widest the range of the buckets at most; what is larger shares the last
 * @param fullest how many a bucket may hold
 * @returns whether they are sorted, or else dealt only
 */
export function dealAndSort(packed: usize, dealt: usize, bucket: usize, length: usize, widest: f64, fullest: i32): bool {
  let range: f64 = 0;
  for (let i: usize = 0; i < length; i++) range = max(range, load<f64>(packed + i * 8));
  const scale = <f64>(length - 1) / min(range, widest);
  memory.fill(bucket, 0, (length + 1) * 4);
  for (let i: usize = 0; i < length; i++) {
    const at = bucket + bucketOf(load<f64>(packed + i * 8), scale, length) * 4;
    store<i32>(at, load<i32>(at, 4) + 1, 4);
  }
  let most = 0;
  let before = 0;
  for (let i: usize = 1; i <= length; i++) {
    const count = load<i32>(bucket + i * 4);
    most = max(most, count);
    before += count;
    store<i32>(bucket + i * 4, before);
  }
  for (let i: usize = 0; i < length; i++) {
    const value = load<f64>(packed + i * 8);
    const at = bucket + bucketOf(value, scale, length) * 4;
    const place = load<i32>(at);
    store<f64>(dealt + <usize>place * 8, value);
    store<i32>(at, place + 1);
  }
  if (most > fullest) return false;
  for (let next: usize = 1; next < length; next++) {
    const value = load<f64>(dealt + next * 8);
    let place = next;
    for (; place > 0 && load<f64>(dealt + place * 8 - 8) > value; place--) store<f64>(dealt + place * 8, load<f64>(dealt + place * 8 - 8));
    store<f64>(dealt + place * 8, value);
  }
  return true;
}

// @ts-ignore: decorator
@inline
function bucketOf(value: f64, scale: f64, buckets: usize): usize {
  const place = value * scale;
  // A scale that is not finite, where all values are next to 0, makes 0 no number.
  if (!(place > 0)) return 0;
  return place < <f64>(buckets - 1) ? <usize>place : buckets - 1;
}
