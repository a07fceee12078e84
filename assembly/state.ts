/*
 * A state `[rows, columns]` of linear attention and the variance of the rounding errors in it, both f64: src/variants/linear/state.ts says what is
 * added up. `columns` is even.
 */

/** S ← γS, of `size` numbers. */
export function decay(state: usize, variance: usize, size: usize, gamma: f64, roundoff: f64): void {
  const factor = f64x2.splat(gamma);
  const u = f64x2.splat(roundoff);
  for (let at: usize = 0; at < size * 8; at += 16) {
    const s = v128.load(state + at);
    const error = f64x2.mul(factor, f64x2.add(f64x2.sqrt(v128.load(variance + at)), f64x2.mul(u, f64x2.abs(s))));
    v128.store(variance + at, f64x2.mul(error, error));
    v128.store(state + at, f64x2.mul(s, factor));
  }
}

/**
 * S ← S + k vᵀ.
 * @param mapped the variance of each k, f64 `[rows]`
 * @param stored the variance of a stored number of size 1
 */
export function add(state: usize, variance: usize, rows: usize, columns: usize, key: usize, mapped: usize, value: usize, stored: f64): void {
  const width = columns * 8;
  const u = f64x2.splat(stored);
  for (let a: usize = 0; a < rows; a++) {
    const k = v128.load_splat<u64>(key + a * 8);
    const e = v128.load_splat<u64>(mapped + a * 8);
    for (let at: usize = 0; at < width; at += 16) {
      const v = v128.load(value + at);
      const s = f64x2.add(v128.load(state + at), f64x2.mul(k, v));
      v128.store(state + at, s);
      const more = f64x2.add(f64x2.mul(u, f64x2.mul(s, s)), f64x2.mul(e, f64x2.mul(v, v)));
      v128.store(variance + at, f64x2.add(v128.load(variance + at), more));
    }
    state += width;
    variance += width;
  }
}

/** V ← kept·V + square·uncertain, of `kept` and `square` for each row and `uncertain` for each column. */
export function replace(variance: usize, rows: usize, columns: usize, kept: usize, square: usize, uncertain: usize): void {
  const width = columns * 8;
  for (let a: usize = 0; a < rows; a++) {
    const share = v128.load_splat<u64>(kept + a * 8);
    const factor = v128.load_splat<u64>(square + a * 8);
    for (let at: usize = 0; at < width; at += 16) {
      const sum = f64x2.add(f64x2.mul(share, v128.load(variance + at)), f64x2.mul(factor, v128.load(uncertain + at)));
      v128.store(variance + at, sum);
    }
    variance += width;
  }
}

/**
 * Sᵀq into `value`, the sum of squares of its terms into `squares`, and the variance that they bring into `errors`: f64 `[columns]`.
 * @param mapped the variance of each q, f64 `[rows]`
 */
export function read(
  state: usize,
  variance: usize,
  rows: usize,
  columns: usize,
  query: usize,
  mapped: usize,
  value: usize,
  squares: usize,
  errors: usize,
): void {
  const width = columns * 8;
  memory.fill(value, 0, width);
  memory.fill(squares, 0, width);
  memory.fill(errors, 0, width);
  for (let a: usize = 0; a < rows; a++) {
    const q = v128.load_splat<u64>(query + a * 8);
    const e = v128.load_splat<u64>(mapped + a * 8);
    const qq = f64x2.mul(q, q);
    for (let at: usize = 0; at < width; at += 16) {
      const s = v128.load(state + at);
      const product = f64x2.mul(q, s);
      v128.store(value + at, f64x2.add(v128.load(value + at), product));
      v128.store(squares + at, f64x2.add(v128.load(squares + at), f64x2.mul(product, product)));
      const more = f64x2.add(f64x2.mul(qq, v128.load(variance + at)), f64x2.mul(e, f64x2.mul(s, s)));
      v128.store(errors + at, f64x2.add(v128.load(errors + at), more));
    }
    state += width;
    variance += width;
  }
}
