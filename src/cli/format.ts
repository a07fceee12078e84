import { visible } from '../text/untrusted.ts';

/** Three significant digits, without an exponent from a thousandth to a million: 0.00123, 12.3, 1230. */
export function digits(value: number): string {
  if (value === 0) return '0';
  if (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6) return value.toExponential(1);
  return Number(value.toPrecision(3)).toString();
}

/** Nanoseconds in the unit that reads best. */
export function time(nanoseconds: number): string {
  const [scale, unit] = nanoseconds >= 1e9 ? [1e9, 's'] : nanoseconds >= 1e6 ? [1e6, 'ms'] : [1e3, 'µs'];
  return `${digits(nanoseconds / scale)} ${unit}`;
}

/** Bytes in powers of 1000. */
export function size(bytes: number): string {
  const [scale, unit] = bytes >= 1e9 ? [1e9, 'GB'] : bytes >= 1e6 ? [1e6, 'MB'] : [1e3, 'kB'];
  return `${digits(bytes / scale)} ${unit}`;
}

/** 67 108 864 → 67.1 M. */
export function count(value: number): string {
  const [scale, unit] = value >= 1e9 ? [1e9, ' G'] : value >= 1e6 ? [1e6, ' M'] : value >= 1e3 ? [1e3, ' k'] : [1, ''];
  return `${digits(value / scale)}${unit}`;
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(Math.abs(share) < 0.1 ? 1 : 0)} %`.replace('-', '−');
}

/** A size as it is written, with the sign of `value`; what is written as nothing has none. */
export function signed(value: number, written: string): string {
  if (!/[1-9]/.test(written)) return written;
  return `${value < 0 ? '−' : '+'}${written}`;
}

/** Columns aligned by their widest cell: the first to the left, the others to the right. */
export function table(rows: ReadonlyArray<readonly string[]>): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join('  ');
  return rows.map((row) => line(row).trimEnd()).join('\n');
}

/** Text in lines of at most 100 characters, broken at spaces but before %; what goes on is indented. A longer word has a line of its own. */
export function wrapped(text: string, indent = ''): string {
  const [first = '', ...words] = text.split(/ (?!%)/);
  const lines = [indent + first];
  for (const word of words) {
    const longer = `${lines.at(-1)} ${word}`;
    if (longer.length <= 100) lines[lines.length - 1] = longer;
    else lines.push(`${indent}  ${word}`);
  }
  return lines.join('\n');
}

/** Untrusted text for a cell or a sentence. */
export function printable(text: string): string {
  return visible(text);
}
