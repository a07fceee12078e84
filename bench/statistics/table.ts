/** A Markdown table; columns of figures stand right. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = header.map((_, column) => (rows.every((row) => /^[<>≤≥±]? ?[\d.]/.test(row[column] ?? '')) ? '---:' : '---'));
  return [header, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** A share in per cent, to two significant digits below 1 % and to a tenth above. */
export function percent(share: number): string {
  const value = 100 * share;
  if (value === 0) return '0 %';
  if (value < 100 && value >= 99.95) return '> 99.9 %';
  return `${Math.abs(value) < 1 ? Number(value.toPrecision(2)) : Number(value.toFixed(1))} %`;
}
