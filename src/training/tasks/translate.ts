import type { RandomStream } from '../../inputs/random.ts';
import { parameterObject, readParameters, wholeNumber } from '../../variants/parameter-types.ts';
import type { ParametersOf } from '../../variants/parameter-types.ts';
import type { Task } from '../task.ts';
import { drawBelow, drawDistinct } from './draws.ts';
import { drawnTask } from './drawn-task.ts';
import type { ItemBuffers } from './drawn-task.ts';
import { appendNumber, appendWord, englishNumbers, germanNumbers } from './number-words.ts';
import type { Sentence } from './number-words.ts';
import { taskName } from './task-name.ts';

/** English, then German; subjects with their article. */
const subjects = [
  ...(['farmer Der Bauer', 'king Der König', 'doctor Der Arzt', 'boy Der Junge', 'baker Der Bäcker', 'guest Der Gast'] as const),
  ...(['woman Die Frau', 'queen Die Königin', 'aunt Die Tante', 'family Die Familie', 'town Die Stadt', 'school Die Schule'] as const),
  ...(['girl Das Mädchen', 'child Das Kind', 'museum Das Museum', 'hotel Das Hotel'] as const),
].map((line) => line.split(' ') as [string, string, string]);
const verbs = [
  ...(['counted gezählt', 'sold verkauft', 'bought gekauft', 'seen gesehen', 'found gefunden', 'lost verloren', 'fed gefüttert'] as const),
  ...(['drawn gezeichnet', 'photographed fotografiert', 'washed gewaschen', 'painted bemalt', 'forgotten vergessen'] as const),
  ...(['brought gebracht', 'shown gezeigt', 'hidden versteckt', 'described beschrieben'] as const),
].map((line) => line.split(' ') as [string, string]);
const things = [
  ...(['horses Pferde', 'cows Kühe', 'pigs Schweine', 'hens Hühner', 'dogs Hunde', 'cats Katzen', 'birds Vögel', 'books Bücher'] as const),
  ...(['chairs Stühle', 'apples Äpfel', 'trees Bäume', 'houses Häuser', 'ships Schiffe', 'letters Briefe', 'keys Schlüssel'] as const),
  'pictures Bilder',
].map((line) => line.split(' ') as [string, string]);

const [blank, start] = [0, 1];
const end = '.';
const english = [
  'The',
  ...subjects.map(([word]) => word),
  'has',
  ...[...verbs, ...things].map(([word]) => word),
  ',',
  end,
  ...englishNumbers,
];
const german = [
  ...['Der', 'Die', 'Das', ...subjects.map(([, , word]) => word), 'hat', ...[...verbs, ...things].map(([, word]) => word)],
  ...[',', 'und', end, ...germanNumbers],
];
const tokenOf = new Map(english.map((word, at) => [word, 2 + at]));
const classOf = new Map(german.map((word, at) => [word, at]));
/** The token of class 0. */
const firstGerman = 2 + english.length;
const isNumber = new Set(germanNumbers);

const translateSchema = parameterObject({
  /** Things that a sentence counts. */
  objects: wholeNumber(1, things.length),
  /** Of the largest number. */
  digits: wholeNumber(1, 6),
});
export type TranslateParameters = ParametersOf<typeof translateSchema>;

/**
 * Sentences from English into German: «The farmer has sold twenty-one cows and seven pigs.», «Der Bauer hat einundzwanzig Kühe und sieben Schweine
 * verkauft.» Subject, verb, things and numbers are drawn evenly. Three orders differ: tens and ones, the article, which follows the noun's gender, and
 * the verb, which comes last. Tokens: 0 blank, 1 begins a translation, then English words, then German ones; a number is several of them. A
 * translation's `relevant` position is that of the English word that says the same, of an article the subject's. With an encoder of E layers, D
 * decoder layers and windows of w the verb cannot be read where (E + 1)·⌊w/2⌋ + (D − 1)·(w − 1) < 3·objects − 1 + n, of n tokens by which sources are longer
 * than translations: no more than one verb in 16 is then right, and no more than one sentence.
 * @throws INVALID_PARAMETERS
 */
export function translate(given: TranslateParameters): Task {
  const parameters = readParameters('translate', translateSchema, given);
  const { objects, digits } = parameters;
  // No number has more words than one of fours alone.
  const longest = sentenceOf({
    subject: 0,
    verb: 0,
    things: range(objects),
    numbers: range(objects).map(() => Number('4'.repeat(digits))),
  });
  const [length, sourceLength] = [longest.german.length, longest.english.length];
  return drawnTask({
    name: taskName('translate', parameters),
    summary: `English sentences of ${objects} ${objects === 1 ? 'number' : 'numbers'} in German, right as a whole`,
    vocabulary: firstGerman + german.length,
    classes: german.length,
    length,
    chance: 0,
    sourceLength,
    translation: { textOf },
    draw: (stream, item) => drawItem(stream, item, parameters),
  });
}

function range(count: number): number[] {
  return [...Array.from({ length: count }).keys()];
}

/** What a sentence says: places in the lists above, and numbers. */
interface Content {
  readonly subject: number;
  readonly verb: number;
  readonly things: Iterable<number>;
  readonly numbers: readonly number[];
}

function sentenceOf({ subject, verb, things: chosen, numbers }: Content): Sentence {
  const [noun, article, germanNoun] = subjects[subject]!;
  const [participle, germanParticiple] = verbs[verb]!;
  const sentence: Sentence = { english: ['The'], german: [{ word: article, from: 1 }] };
  appendWord(sentence, noun, germanNoun);
  appendWord(sentence, 'has', 'hat');
  const from = sentence.english.push(participle) - 1;
  for (const [at, thing] of [...chosen].entries()) {
    if (at > 0) appendWord(sentence, ...((at === numbers.length - 1 ? ['and', 'und'] : [',', ',']) as [string, string]));
    appendNumber(sentence, numbers[at]!);
    appendWord(sentence, ...things[thing]!);
  }
  sentence.german.push({ word: germanParticiple, from });
  appendWord(sentence, end, end);
  return sentence;
}

function drawItem(
  stream: RandomStream,
  { tokens, targets, relevant, source }: ItemBuffers,
  { objects, digits }: TranslateParameters,
): void {
  const [subject, verb] = [drawBelow(stream, subjects.length), drawBelow(stream, verbs.length)];
  const sentence = sentenceOf({
    subject,
    verb,
    things: drawDistinct(stream, objects, things.length),
    numbers: range(objects).map(() => drawNumber(stream, 10 ** digits)),
  });
  source.fill(blank);
  source.set(sentence.english.map((word) => tokenOf.get(word)!));
  tokens.fill(blank);
  tokens[0] = start;
  for (const [at, { word, from }] of sentence.german.entries()) {
    targets[at] = classOf.get(word)!;
    relevant[at] = [from];
    if (at + 1 < tokens.length) tokens[at + 1] = firstGerman + targets[at]!;
  }
}

/** From 2, below `limit`; none that ends in 1 as a word of its own, which would be «eins». */
function drawNumber(stream: RandomStream, limit: number): number {
  for (;;) {
    const value = 2 + drawBelow(stream, limit - 2);
    if (value % 100 !== 1) return value;
  }
}

/** Parts of a number are one word, and commas and the full stop stand close; a sentence that does not end is all there is of it. */
function textOf(classes: ArrayLike<number>): string {
  let text = '';
  let previous = '';
  for (const each of Array.from(classes)) {
    const word = german[each] ?? '';
    const close = word === ',' || word === end || text === '' || (isNumber.has(word) && isNumber.has(previous));
    text += `${close ? '' : ' '}${word.replaceAll('-', '')}`;
    if (word === end) break;
    previous = word;
  }
  return text;
}
