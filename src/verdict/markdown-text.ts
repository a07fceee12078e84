import { clip } from '../text/layout.ts';
import { oneLine, visible } from '../text/untrusted.ts';

/** Characters that Markdown, HTML, tables or their renderers give a meaning; the dot of `www.` and `://` make links, `::` at a line's beginning commands a CI runner. */
const meaningful = /[!#$&*<>@[\\\]^_`{|}~"]|^:(?=:)|(?<=www)\.|:(?=\/)|(?<=\/)\//giu;

/**
 * Untrusted text as Markdown that shows it and nothing else, on one line. Character references cannot begin a structure; an empty
 * comment keeps `@name`, `#1` and addresses from notifying people, naming issues and being links, as those are looked for in the
 * finished text.
 */
export function escapeMarkdown(text: string, most: number): string {
  return clip(oneLine(text), most).replaceAll(meaningful, (character) => {
    const reference = `&#${character.codePointAt(0)!};`;
    return '@#.:/'.includes(character) ? `${reference}<!-- -->` : reference;
  });
}

/** Untrusted text in the typeface of code. Not a code span, as no escape works in one, and a table's bars split it. */
export function codeMarkdown(text: string, most: number): string {
  return `<code>${escapeMarkdown(text, most)}</code>`;
}

/** A fenced block; the fence is longer than any run of backticks in it. */
export function fenced(text: string, language: string): string {
  const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map((run) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}${language}\n${text}\n${fence}`;
}

/** Arguments as a POSIX shell reads them, on one line; no CI runner that prints them finds a command. */
export function shellCommand(words: readonly string[]): string {
  return words.map((word) => (/^[\w./:=,@%+-]+$/.test(word) ? word : `'${quoted(word)}'`)).join(' ');
}

/** Within single quotes: another one ends them, and so does what parts `##[`. */
function quoted(word: string): string {
  return visible(word)
    .replaceAll("'", String.raw`'\''`)
    .replaceAll('##[', "#''#[");
}

/** As many lines as fit into `room` characters, then how many are missing. */
export function fitting(lines: readonly string[], room: number, missing: (left: number) => string): string[] {
  let used = 0;
  const count = lines.findIndex((line) => (used += line.length + 1) > room);
  return count === -1 ? [...lines] : [...lines.slice(0, count), missing(lines.length - count)];
}
