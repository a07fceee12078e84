/** What Python's `str.split()` and `str.rstrip()` take for space: not quite what `\s` is in JavaScript. */
const spaces = /[\t-\r\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/u;
const trailingSpaces = new RegExp(`${spaces.source}$`, 'u');

/** The words of a text, as Python splits it at spaces. */
export function wordsOf(text: string): string[] {
  return text.split(spaces).filter((word) => word !== '');
}

export function withoutTrailingSpaces(text: string): string {
  return text.replace(trailingSpaces, '');
}

/** How often each n-gram of a sequence occurs; n-grams of characters are joined by '', of words by a space. */
export function countNgrams(sequence: readonly string[], n: number, separator: '' | ' '): Map<string, number> {
  const counts = new Map<string, number>();
  for (let start = 0; start + n <= sequence.length; start++) {
    const ngram = sequence.slice(start, start + n).join(separator);
    counts.set(ngram, (counts.get(ngram) ?? 0) + 1);
  }
  return counts;
}

/** Texts that are scored together, with the references of each. */
export interface Translation {
  readonly hypothesis: string;
  /** One or more. */
  readonly references: readonly string[];
}

/** @throws RangeError where a translation has no reference, or there is none at all */
export function requireReferences(translations: readonly Translation[]): void {
  if (translations.length === 0 || translations.some(({ references }) => references.length === 0))
    throw new RangeError('a translation needs at least one reference');
}

/** Sums of equally many figures, place by place. */
export function addUp(figures: ReadonlyArray<readonly number[]>): number[] {
  return figures[0]!.map((_, at) => figures.reduce((sum, each) => sum + each[at]!, 0));
}
