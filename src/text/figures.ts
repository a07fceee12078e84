/** Three significant digits, without an exponent from a thousandth to a million: 0.00123, 12.3, 1230, −4.7, 5.2e-7. */
export function digits(value: number): string {
  if (value === 0) return '0';
  const exponent = Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6;
  return (exponent ? value.toExponential(1) : Number(value.toPrecision(3)).toString()).replace(/^-/, '−');
}

/** Nanoseconds in the unit that reads best for them, or for `like`. */
export function time(nanoseconds: number, like = nanoseconds): string {
  const [scale, unit] = like >= 1e9 ? [1e9, 's'] : like >= 1e6 ? [1e6, 'ms'] : [1e3, 'µs'];
  return `${digits(nanoseconds / scale)} ${unit}`;
}

/** Bytes in powers of 1000, in the unit that reads best for them, or for `like`. */
export function size(bytes: number, like = bytes): string {
  const [scale, unit] = like >= 1e9 ? [1e9, 'GB'] : like >= 1e6 ? [1e6, 'MB'] : [1e3, 'kB'];
  return `${digits(bytes / scale)} ${unit}`;
}

/** Joules in the unit that reads best. */
export function joules(value: number): string {
  const [scale, unit] = Math.abs(value) >= 1 ? [1, 'J'] : Math.abs(value) >= 1e-3 ? [1e-3, 'mJ'] : [1e-6, 'µJ'];
  return `${digits(value / scale)} ${unit}`;
}

/** 67 108 864 → 67.1 M. */
export function count(value: number): string {
  const [scale, unit] = value >= 1e9 ? [1e9, ' G'] : value >= 1e6 ? [1e6, ' M'] : value >= 1e3 ? [1e3, ' k'] : [1, ''];
  return `${digits(value / scale)}${unit}`;
}

/** With so many decimals, a proper minus, and no sign of a zero. */
export function fixed(value: number, places: number): string {
  return value
    .toFixed(places)
    .replace(/^-(?=[0.]*$)/, '')
    .replace('-', '−');
}

/** 0.757× */
export function factor(ratio: number): string {
  return `${digits(ratio)}×`;
}

export function percent(share: number): string {
  return `${fixed(share * 100, Math.abs(share) < 0.1 ? 1 : 0)} %`;
}

/** A size as it is written, with the sign of `value`; what is written as nothing has none. */
export function signed(value: number, written: string): string {
  if (!/[1-9]/.test(written)) return written;
  return `${value < 0 ? '−' : '+'}${written}`;
}
