import { visible } from '../text/untrusted.ts';

/** Untrusted text for a cell or a sentence. */
export function printable(text: string): string {
  return visible(text);
}
