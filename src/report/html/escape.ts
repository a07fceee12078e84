import { clip } from '../../text/layout.ts';
import { visible } from '../../text/untrusted.ts';

const references: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
/** No text of a record is longer on a page: a name or reason of megabytes must not bury the rest. */
const mostCharacters = 4000;

/** Untrusted text, for an element or a quoted attribute: it shows itself, with hidden characters written out, and means nothing. */
export function escapeHtml(text: string): string {
  return visible(clip(text, mostCharacters)).replaceAll(/[&<>"']/g, (character) => references[character]!);
}
