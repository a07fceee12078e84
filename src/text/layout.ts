/** Columns aligned by their widest cell: the first to the left (or the first few), the others to the right. */
export function table(rows: ReadonlyArray<readonly string[]>, left = 1): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (column < left ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join('  ');
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

/** At most `most` UTF-16 units; what is cut ends in `…`. */
export function clip(text: string, most: number): string {
  return text.length <= most ? text : `${part(text, 0, most - 1)}…`;
}

/** At most `most` UTF-16 units; what is cut is cut in the middle, as names differ at both ends. */
export function shorten(text: string, most: number): string {
  if (text.length <= most) return text;
  const head = Math.ceil((most - 1) / 2);
  return `${part(text, 0, head)}…${part(text, text.length - (most - 1 - head), text.length)}`;
}

/** Lines of at most `width`, broken between words where they can be; all but the first are indented by two. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ').flatMap((long) => pieces(long, width - 2))) {
    const room = lines.length === 0 ? width : width - 2;
    if (line !== '' && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].map((each, index) => (index === 0 ? each : `  ${each}`));
}

function pieces(word: string, most: number): string[] {
  const found: string[] = [];
  for (let rest = word; ;) {
    const piece = part(rest, 0, most);
    found.push(piece);
    rest = rest.slice(piece.length);
    if (rest === '') return found;
  }
}

/** A slice that leaves no half of a surrogate pair at either end. */
function part(text: string, start: number, end: number): string {
  return text.slice(start, end).replace(/^[\udc00-\udfff]|[\ud800-\udbff]$/g, '');
}

/** With a capital at its beginning. */
export function sentenceCase(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
