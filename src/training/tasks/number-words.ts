/** A German word, or part of one, with the place of the English word that says the same. */
export interface Aligned {
  readonly word: string;
  readonly from: number;
}

/** Words of a sentence, built up. */
export interface Sentence {
  readonly english: string[];
  readonly german: Aligned[];
}

const english = [
  ...['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven', 'twelve'],
  ...['thirteen', 'fourteen', 'fifteen', 'sixteen', 'seventeen', 'eighteen', 'nineteen'],
];
const german = [
  ...['null', 'ein', 'zwei', 'drei', 'vier', 'fünf', 'sechs', 'sieben', 'acht', 'neun', 'zehn', 'elf', 'zwölf'],
  ...['dreizehn', 'vierzehn', 'fünfzehn', 'sechzehn', 'siebzehn', 'achtzehn', 'neunzehn'],
];
const englishTens = ['', '', 'twenty', 'thirty', 'forty', 'fifty', 'sixty', 'seventy', 'eighty', 'ninety'];
const germanTens = ['', '', 'zwanzig', 'dreißig', 'vierzig', 'fünfzig', 'sechzig', 'siebzig', 'achtzig', 'neunzig'];

/** Every word that numbers are made of. */
export const englishNumbers: readonly string[] = [...english.slice(1), ...englishTens.slice(2), 'hundred', 'thousand', 'and', '-'];
/** In German they make one word: the und in it is written apart from the conjunction, as another word. */
export const germanNumbers: readonly string[] = [...german.slice(1), ...germanTens.slice(2), 'hundert', 'tausend', '-und-'];

/**
 * Appends a number from 1 below a million: three hundred and twenty-one, drei·hundert·ein·und·zwanzig. Tens and ones change places. One is «ein», as
 * it is before a further part: numbers that end in it are not for use.
 */
export function appendNumber(sentence: Sentence, value: number): void {
  const [thousands, hundreds, rest] = [Math.floor(value / 1000), Math.floor(value / 100) % 10, value % 100];
  if (thousands > 0) {
    appendNumber(sentence, thousands);
    appendWord(sentence, 'thousand', 'tausend');
  }
  if (hundreds > 0) {
    appendWord(sentence, english[hundreds]!, german[hundreds]!);
    appendWord(sentence, 'hundred', 'hundert');
  }
  if (rest === 0) return;
  if (thousands + hundreds > 0) sentence.english.push('and');
  const [tens, ones] = [Math.floor(rest / 10), rest % 10];
  if (rest < 20) appendWord(sentence, english[rest]!, german[rest]!);
  else if (ones === 0) appendWord(sentence, englishTens[tens]!, germanTens[tens]!);
  else {
    const from = sentence.english.length;
    sentence.english.push(englishTens[tens]!, '-', english[ones]!);
    sentence.german.push({ word: german[ones]!, from: from + 2 }, { word: '-und-', from: from + 1 }, { word: germanTens[tens]!, from });
  }
}

/** Appends a word and its translation. */
export function appendWord(sentence: Sentence, word: string, translation: string): void {
  sentence.german.push({ word: translation, from: sentence.english.length });
  sentence.english.push(word);
}
