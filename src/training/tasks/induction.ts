import type { RandomStream } from '../../inputs/random.ts';
import { parameterObject, readParameters, wholeNumber } from '../../variants/parameter-types.ts';
import type { ParametersOf } from '../../variants/parameter-types.ts';
import type { Task } from '../task.ts';
import { requestError } from './check-request.ts';
import { drawBelow } from './draws.ts';
import { drawnTask } from './drawn-task.ts';
import type { ItemBuffers } from './drawn-task.ts';
import { taskName } from './task-name.ts';

const largest = 16_384;
const inductionSchema = parameterObject({
  /** Different symbols. */
  symbols: wholeNumber(2, largest),
  /** Symbols that are copied. */
  copy: wholeNumber(1, largest),
  /** Positions from the first marker to the second. */
  gap: wholeNumber(2, largest),
  length: wholeNumber(3, largest),
});
export type InductionParameters = ParametersOf<typeof inductionSchema>;

const marker = 0;

/**
 * Copying at a gap, the pattern A B … A → B of induction heads (Olsson et al. 2022): symbols drawn evenly, among them a marker at a random
 * place with `copy` symbols behind it, and `gap` positions later the marker again with the same symbols. From the second marker on each position
 * must give the next symbol of the copy, which stands gap − 1 positions before it: that position is `relevant`. Tokens: 0 marker, then symbols.
 * Nothing nearer tells the next symbol, so that L causal layers of window w with L·(w − 1) < gap − 1 score exactly chance.
 * @throws INVALID_PARAMETERS
 */
export function induction(given: InductionParameters): Task {
  const parameters = readParameters('induction', inductionSchema, given);
  const { symbols, copy, gap, length } = parameters;
  const name = taskName('induction', parameters);
  if (gap <= copy) throw requestError(name, `a gap of ${gap} ends within the ${copy} symbols to copy`, `gap=${2 * copy}`);
  if (gap + copy > length) throw requestError(name, `a gap of ${gap} and ${copy} symbols exceed length ${length}`, `length=${2 * gap}`);
  return drawnTask({
    name,
    summary: `${copy} symbols copied over a gap of ${gap} positions`,
    vocabulary: 1 + symbols,
    classes: symbols,
    length,
    chance: 1 / symbols,
    draw: (stream, item) => drawSequence(stream, item, parameters),
  });
}

function drawSequence(stream: RandomStream, item: ItemBuffers, { symbols, copy, gap, length }: InductionParameters): void {
  const { tokens, targets, relevant } = item;
  for (let at = 0; at < length; at++) tokens[at] = 1 + drawBelow(stream, symbols);
  const start = drawBelow(stream, length - gap - copy + 1);
  tokens[start] = tokens[start + gap] = marker;
  for (let step = 1; step <= copy; step++) {
    const [source, asked] = [start + step, start + gap + step - 1];
    targets[asked] = tokens[source]! - 1;
    relevant[asked] = [source];
    // The last symbol of the copy may lie past the end: it is asked for, not shown.
    if (asked + 1 < length) tokens[asked + 1] = tokens[source]!;
  }
}
