// The one place where text of others is cleaned: names of processes and devices, words of workers, names in models and records.

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

/** Lines for a terminal or a CI runner's log: whatever of others is in them moves no cursor, hides nothing and commands nothing. */
export function safeLines(text: string): string {
  return visible(text, '\n\t').split('\n').map(inert).join('\n');
}

/** JSON that is safe to print, and reads back as the same value. */
export function safeJson(value: unknown): string {
  const escaped = (text: string) => text.replaceAll(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const json = JSON.stringify(value, null, 2);
  return json.replaceAll(hidden, (character) => (character === '\n' ? character : escaped(character))).replaceAll('##[', '##\\u005b');
}

/** Nothing that attnswap reads is nested deeper; a hundred times as deep ends the stack of whoever goes through it. */
const deepest = 100;

/** A value of others as it enters, such as a worker's answer: every text in it, names of fields too, on one line and visible. Null where it is nested too deep. */
export function tamed<Value>(value: Value): Value {
  return tame(value, 0) as Value;
}

function tame(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return oneLine(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth === deepest) return null;
  if (Array.isArray(value)) return value.map((inner) => tame(inner, depth + 1));
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [oneLine(name), tame(inner, depth + 1)]));
}
