/** Characters that hide, reorder or break text: controls, bidirectional marks, zero-width ones, lone surrogates, line separators. */
const hidden = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\ufffe\uffff]/gu;

/** Untrusted text with every hidden character written out, such as `\u202e`. `keep` names those that may stay. */
export function visible(text: string, keep = ''): string {
  return text.replaceAll(hidden, (character) => {
    if (keep.includes(character)) return character;
    const code = character.codePointAt(0)!.toString(16);
    return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`;
  });
}

/** Untrusted text on one line, hidden characters written out. */
export function oneLine(text: string): string {
  return visible(text.replaceAll(/\s+/g, ' ').trim());
}

/** No line is read as a command by a CI runner that prints it: one that begins with `::`, or holds `##[`. */
export function inert(line: string): string {
  return line.replace(/^\s*::/, (start) => `${start.slice(0, -1)}\\u003a`).replaceAll('##[', '#\\u0023[');
}
