import type { RandomStream } from '../../inputs/random.ts';
import { parameterObject, readParameters, wholeNumber } from '../../variants/parameter-types.ts';
import type { ParametersOf } from '../../variants/parameter-types.ts';
import type { Task } from '../task.ts';
import { requestError } from './check-request.ts';
import { drawBelow, drawDistinct } from './draws.ts';
import { drawnTask } from './drawn-task.ts';
import type { ItemBuffers } from './drawn-task.ts';
import { taskName } from './task-name.ts';

const fuseSchema = parameterObject({
  /** Tiles along each edge of the picture. */
  side: wholeNumber(2, 32),
  colors: wholeNumber(2, 256),
  patterns: wholeNumber(4, 1024),
  /** Questions about a picture. */
  questions: wholeNumber(1, 1024),
  /** 2: an encoder reads the picture, a decoder the questions. 1: all of it is one sequence. */
  streams: wholeNumber(1, 2),
});
export type FuseParameters = ParametersOf<typeof fuseSchema>;

/** Patches along each edge of a tile. */
const patches = 2;

/**
 * Questions about a picture: «what color is the tile with this pattern?» The picture is a square of `side` × `side` tiles, each in one color and with a
 * pattern that no other one has. A tile is 2 × 2 patches, a patch one token, row by row. A question is one token, the name of a pattern, at which
 * the color is asked for; `relevant` are the four patches of the tile. Tiles are asked for evenly, with repeats, in the upper half of the picture,
 * where each color is as frequent as any other, so that accuracy is exactly 1/colors for whoever reads the picture alone, the questions alone, or both
 * without the picture's upper half: in windows of w, with E encoder and D decoder layers, where (E + 1)·⌊w/2⌋ ≤ 2·side² − questions. As one sequence,
 * which is not causal, where D·⌊w/2⌋ ≤ 2·side². Tokens: patches, color·patterns + pattern; then names of patterns.
 * @throws INVALID_PARAMETERS
 */
export function fuse(given: FuseParameters): Task {
  const parameters = readParameters('fuse', fuseSchema, given);
  const { side, colors, patterns, questions, streams } = parameters;
  const name = taskName('fuse', parameters);
  const [tiles, pictured] = [side ** 2, (patches * side) ** 2];
  if (side % 2 !== 0) throw requestError(name, `side is ${side}, expected an even number`, `side=${side + 1}`);
  if (tiles > patterns) throw requestError(name, `${tiles} tiles need ${tiles} patterns, got ${patterns}`, `patterns=${tiles}`);
  if ((tiles / 2) % colors !== 0)
    throw requestError(name, `half of ${tiles} tiles cannot have ${colors} colors, each equally often`, `colors=${side}`);
  if (streams === 2 && questions > pictured)
    throw requestError(name, `${questions} questions are more than the picture's ${pictured} patches`, `questions=${tiles}`);
  const sizes = streams === 1 ? { length: pictured + questions } : { length: questions, sourceLength: pictured };
  const halves = [
    { name: 'upper half', from: 0, to: pictured / 2 },
    { name: 'lower half', from: pictured / 2, to: pictured },
  ];
  const picture = ({ source, tokens }: ItemBuffers) => (streams === 1 ? tokens.subarray(0, pictured) : source);
  return drawnTask({
    name,
    summary: `the colors of tiles in a picture of ${side} × ${side}, each asked for by its pattern`,
    vocabulary: (colors + 1) * patterns,
    classes: colors,
    ...sizes,
    chance: 1 / colors,
    causal: streams === 2,
    keyGroups: [...halves, ...(streams === 1 ? [{ name: 'questions', from: pictured, to: sizes.length }] : [])],
    splitBy: picture,
    draw(stream, item) {
      const drawn = drawPicture(stream, parameters);
      paint(drawn, picture(item), parameters);
      ask(stream, drawn, item, parameters);
    },
  });
}

/** Of each tile, row by row. */
interface Picture {
  readonly patterns: Int32Array;
  readonly colors: readonly number[];
}

/** Each half has every color equally often. */
function drawPicture(stream: RandomStream, { side, colors, patterns }: FuseParameters): Picture {
  const half = side ** 2 / 2;
  const colored = () => Array.from(drawDistinct(stream, half, half), (place) => place % colors);
  return { patterns: drawDistinct(stream, side ** 2, patterns), colors: [...colored(), ...colored()] };
}

function paint({ patterns, colors }: Picture, tokens: Int32Array, parameters: FuseParameters): void {
  for (const [tile, pattern] of patterns.entries())
    for (const at of patchesOf(tile, parameters.side)) tokens[at] = colors[tile]! * parameters.patterns + pattern;
}

/** Where the four patches of a tile are: upper left, upper right, lower left, lower right. */
function patchesOf(tile: number, side: number): number[] {
  const across = patches * side;
  const first = patches * (Math.floor(tile / side) * across + (tile % side));
  return [first, first + 1, first + across, first + across + 1];
}

function ask(stream: RandomStream, { patterns, colors }: Picture, item: ItemBuffers, parameters: FuseParameters): void {
  const { tokens, targets, relevant } = item;
  for (let at = tokens.length - parameters.questions; at < tokens.length; at++) {
    const tile = drawBelow(stream, patterns.length / 2);
    tokens[at] = parameters.colors * parameters.patterns + patterns[tile]!;
    targets[at] = colors[tile]!;
    relevant[at] = patchesOf(tile, parameters.side);
  }
}
