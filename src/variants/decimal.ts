/** A fraction as its decimal digits say it: 0.1 is one tenth, not the nearest binary number. */
export interface Decimal {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** Reads the shortest decimal that denotes `value`, which is what its user wrote. `value` is finite and ≥ 0. */
export function decimalOf(value: number): Decimal {
  const [mantissa = '0', exponent = '0'] = String(value).split('e');
  const [whole = '0', fraction = ''] = mantissa.split('.');
  const power = Number(exponent) - fraction.length;
  const digits = BigInt(whole + fraction);
  if (power >= 0) return { numerator: digits * 10n ** BigInt(power), denominator: 1n };
  return { numerator: digits, denominator: 10n ** BigInt(-power) };
}

/** 1 − x, for 0 ≤ x ≤ 1. */
export function complementOf(x: Decimal): Decimal {
  return { numerator: x.denominator - x.numerator, denominator: x.denominator };
}

/** ⌈x·count⌉ in exact arithmetic: ⌈0.07·100⌉ is 7, though 0.07 * 100 is 7.000000000000001. `count` is a whole number ≥ 0. */
export function ceilTimes(x: Decimal, count: number): number {
  return Number((x.numerator * BigInt(count) + x.denominator - 1n) / x.denominator);
}
