/**
 * Elementary functions that give the same bits on every platform. ECMAScript fixes the result of + − × ÷, % and
 * Math.sqrt to the last bit, and forbids fusing them; Math.log, Math.sin, Math.exp and Math.pow are left to the
 * engine. These functions use the former alone. Accurate to a few units of the last place: no more is claimed.
 */

const LN2 = 0.6931471805599453;

/** Natural logarithm of a positive finite `x`: ln m·2^k = 2·artanh((m−1)/(m+1)) + k·ln 2, with m in [√½, √2). */
export function ln(x: number): number {
  let mantissa = x;
  let exponent = 0;
  while (mantissa < Math.SQRT1_2) {
    mantissa *= 2;
    exponent -= 1;
  }
  while (mantissa >= Math.SQRT2) {
    mantissa *= 0.5;
    exponent += 1;
  }
  const s = (mantissa - 1) / (mantissa + 1);
  const z = s * s;
  // The series of artanh to z^10: with z ≤ .0295 the next term is below 1e-17.
  let sum = 1 / 19 + z / 21;
  sum = 1 / 17 + z * sum;
  sum = 1 / 15 + z * sum;
  sum = 1 / 13 + z * sum;
  sum = 1 / 11 + z * sum;
  sum = 1 / 9 + z * sum;
  sum = 1 / 7 + z * sum;
  sum = 1 / 5 + z * sum;
  sum = 1 / 3 + z * sum;
  return 2 * s * (1 + z * sum) + exponent * LN2;
}

/** e^x for |x| ≤ 50: the Taylor series at x/2^10, squared ten times. Relative error below 1e-12. */
export function exp(x: number): number {
  const y = x / 1024;
  let sum = 1;
  for (let term = 12; term >= 1; term -= 1) sum = 1 + (y / term) * sum;
  for (let squaring = 0; squaring < 10; squaring += 1) sum *= sum;
  return sum;
}

/** [cos(π·x), sin(π·x)] for finite `x`. % reduces exactly; the Taylor series then runs over |angle| ≤ π/4. */
export function cosSinPi(x: number): readonly [number, number] {
  const turn = x % 2;
  const quarter = Math.round(turn * 2);
  const angle = (turn - quarter / 2) * Math.PI;
  const z = angle * angle;
  let cos = 1;
  let sin = 1;
  for (let term = 18; term >= 2; term -= 2) {
    cos = 1 - (z / (term * (term - 1))) * cos;
    sin = 1 - (z / (term * (term + 1))) * sin;
  }
  sin *= angle;
  switch (((quarter % 4) + 4) % 4) {
    case 0:
      return [cos, sin];
    case 1:
      return [-sin, cos];
    case 2:
      return [-cos, -sin];
    default:
      return [sin, -cos];
  }
}
