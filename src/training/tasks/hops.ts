import type { RandomStream } from '../../inputs/random.ts';
import { parameterObject, readParameters, wholeNumber } from '../../variants/parameter-types.ts';
import type { ParametersOf } from '../../variants/parameter-types.ts';
import type { Task } from '../task.ts';
import { requestError } from './check-request.ts';
import { drawBelow, drawDistinct } from './draws.ts';
import { drawnTask } from './drawn-task.ts';
import type { ItemBuffers } from './drawn-task.ts';
import { taskName } from './task-name.ts';

const largest = 16_384;
const hopsSchema = parameterObject({
  /** Nodes, each with one pointer. */
  nodes: wholeNumber(1, 128),
  /** Different values that pointers end at. */
  values: wholeNumber(2, 128),
  /** Pointers of the hardest items; the others have 1, 2, 4, … */
  hops: wholeNumber(1, 128),
  /** Questions of a sequence. */
  questions: wholeNumber(1, 1024),
  /** Tokens of test items. */
  length: wholeNumber(2, largest),
  /** Tokens of training and validation items. */
  train: wholeNumber(2, largest),
});
export type HopsParameters = ParametersOf<typeof hopsSchema>;

/**
 * Pointer chasing, of graded difficulty: every node points to another one or to a value, so that the nodes form chains that end at values.
 * A sequence shows the pointers, each as one token once or several times in a row. Its last tokens are questions: nodes, of which the value at
 * the end of their chain is asked. `difficulty` is the number of pointers up to it, the same for all questions of a sequence: 1, 2, 4 and so on,
 * up to `hops`, each as likely; all items have the same kinds and numbers of tokens.
 * Pointers that are farther from their value come first. In causal attention none can then look up where its target leads; where it can, pointers
 * are joined in their own places, ahead of the questions, and n layers reach 2ⁿ − 1 of them.
 * Two chains at least are that long and end at different values. (Always answering the value that most pointers lead to is right more often than chance.)
 * Training items ask for any nodes instead, near and far ones side by side, which is learned in fewer steps; their difficulty is that of the farthest.
 * Sequences say the same at any length, so that short ones can train. `relevant` are all tokens that show a pointer of the chain.
 * Tokens: node·(nodes + values) + target, values behind the nodes, then questions.
 * @throws INVALID_PARAMETERS
 */
export function hops(given: HopsParameters): Task {
  const parameters = readParameters('hops', hopsSchema, given);
  const { nodes, values, hops: most, questions, length, train } = parameters;
  const name = taskName('hops', parameters);
  const least = sameLength * most;
  if (least > nodes) throw requestError(name, `${sameLength} chains of ${most} hops need ${least} nodes, got ${nodes}`, `nodes=${least}`);
  const shortest = Math.min(length, train);
  if (nodes + questions > shortest)
    throw requestError(
      name,
      `${nodes} pointers and ${questions} questions do not fit into ${shortest} tokens`,
      `train=${4 * nodes + questions}`,
    );
  return drawnTask({
    name,
    summary: `the values at the ends of chains of 1 to ${most} pointers`,
    vocabulary: nodes * (nodes + values) + nodes,
    classes: values,
    length,
    trainingLength: train,
    chance: 1 / values,
    partsOf: (token) => partsOf(token, parameters),
    draw: (stream, item, split) => drawSequence(stream, item, { ...parameters, mixed: split === 'train' }),
  });
}

/** A pointer is from a node and to one, or to a value; a question stands where a pointer to its node would have led. */
function partsOf(token: number, { nodes, values }: HopsParameters): string[] {
  const targets = nodes + values;
  const pointers = nodes * targets;
  return token < pointers ? [`from ${Math.floor(token / targets)}`, `to ${token % targets}`] : [`to ${token - pointers}`];
}

interface Drawn extends HopsParameters {
  /** Whether any nodes are asked for, not those of one distance alone. */
  readonly mixed: boolean;
}

function drawSequence(stream: RandomStream, { tokens, targets, relevant }: ItemBuffers, parameters: Drawn): number {
  const { nodes, values, questions, mixed } = parameters;
  const distance = drawDistance(stream, parameters);
  const chains = drawChains(stream, distance, parameters);
  const asked = tokens.length - questions;
  const places = drawPlaces(stream, chains, asked);
  for (const [link, shown] of places.entries()) for (const at of shown) tokens[at] = chains[link]!.pointer;
  const eligible = [...chains.keys()].filter((link) => mixed || chains[link]!.distance === distance);
  const paths = eligible.map((from) => places.slice(from, from + chains[from]!.distance).flat());
  let farthest = 0;
  for (let at = asked; at < tokens.length; at++) {
    const chosen = drawBelow(stream, eligible.length);
    const { node, value, distance: far } = chains[eligible[chosen]!]!;
    tokens[at] = nodes * (nodes + values) + node;
    targets[at] = value;
    relevant[at] = paths[chosen]!;
    farthest = Math.max(farthest, far);
  }
  return farthest;
}

/** A power of two below `hops`, or `hops`. */
function drawDistance(stream: RandomStream, { hops: most }: HopsParameters): number {
  return Math.min(most, 2 ** drawBelow(stream, 1 + Math.ceil(Math.log2(most))));
}

/** Where each link is shown: once at least, copies side by side, links that are farther from their values first. */
function drawPlaces(stream: RandomStream, chains: readonly Linked[], tokens: number): number[][] {
  const copies = chains.map(() => 1);
  for (let more = chains.length; more < tokens; more++) copies[drawBelow(stream, chains.length)]! += 1;
  const far = (link: number) => chains[link]!.distance;
  const places = chains.map((): number[] => []);
  let at = 0;
  for (const link of [...drawDistinct(stream, chains.length, chains.length)].toSorted((a, b) => far(b) - far(a)))
    while (places[link]!.length < copies[link]!) places[link]!.push(at++);
  return places;
}

interface Linked {
  readonly node: number;
  /** Its token. */
  readonly pointer: number;
  /** Pointers up to the end of its chain, its own among them, and the value there. */
  readonly distance: number;
  readonly value: number;
}

/** Chains of an item that have its distance, whatever else is drawn. */
const sameLength = 2;

/** Every node once, in chains one after the other; the first chains have the given length, and each another value. */
function drawChains(stream: RandomStream, first: number, { nodes, values, hops: most }: HopsParameters): Linked[] {
  const order = drawDistinct(stream, nodes, nodes);
  const different = drawDistinct(stream, sameLength, values);
  const linked: Linked[] = [];
  for (let chain = 0; linked.length < nodes; chain++) {
    const start = linked.length;
    const end = chain < sameLength ? start + first : Math.min(nodes, start + 1 + drawBelow(stream, most));
    const value = different[chain] ?? drawBelow(stream, values);
    for (let at = start; at < end; at++) {
      const target = at + 1 < end ? order[at + 1]! : nodes + value;
      linked.push({ node: order[at]!, pointer: order[at]! * (nodes + values) + target, distance: end - at, value });
    }
  }
  return linked;
}
