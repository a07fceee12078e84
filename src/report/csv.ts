import { stringify } from 'csv-stringify/sync';
import type { Input, Options } from 'csv-stringify/sync';
import { inert, visible } from '../text/untrusted.ts';

/** Rows as CSV with a header. A text of others is on one line and visible; no spreadsheet runs it, and no CI runner that prints the file. */
export function csv(rows: Input, options: Options = { header: true }): string {
  return stringify(rows, { escape_formulas: true, cast: { string: (text) => inert(visible(text)) }, ...options });
}
