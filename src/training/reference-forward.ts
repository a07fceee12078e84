import { AttnswapError } from '../contract/errors.ts';
import { checkWeights } from './check-weights.ts';
import type { Weights } from './check-weights.ts';
import { largestProbability, logProbability } from './log-probability.ts';
import { sinusoidalTable } from './positions.ts';
import { attend } from './reference-attention.ts';
import type { AttentionSite, AttentionWatch } from './reference-attention.ts';
import { add, gelu, multiply, normalise } from './reference-layers.ts';
import type { TaskItems } from './task.ts';
import { exitsOf } from './testbed.ts';
import type { Testbed } from './testbed.ts';

export type TokenBatch = Pick<TaskItems, 'items' | 'length' | 'tokens'>;

/** What a testbed answers. */
export interface Answers {
  /** `[items, length, classes]`. */
  readonly logits: Float64Array;
  /** Layers up to each position's answer, `[items, length]`. */
  readonly layers: Int32Array;
}

/**
 * The testbed in float64, as plain loops: what trainers and exported models are judged by. Logits `[items, length, classes]` of tokens
 * `[items, length]`. Only the inputs of attention are rounded, to f32; `watch` is shown them, layer by layer.
 * @throws INVALID_INPUTS for weights or tokens that are not this testbed's; INVALID_SHAPE
 */
export function referenceForward(testbed: Testbed, weights: Weights, batch: TokenBatch, watch?: AttentionWatch): Float64Array {
  return referenceAnswers(testbed, weights, batch, watch).logits;
}

/** The same with where each answer was taken: of the first exit that is confident. @throws as {@link referenceForward} */
export function referenceAnswers(testbed: Testbed, weights: Weights, batch: TokenBatch, watch?: AttentionWatch): Answers {
  const { classes } = testbed;
  const exits = exitsOf(testbed);
  const all = logitsOfExits(testbed, weights, batch, watch);
  const row = (logits: Float64Array, place: number) => logits.subarray(place * classes, (place + 1) * classes);
  const logits = all.at(-1)!.slice();
  const layers = new Int32Array(batch.tokens.length).fill(testbed.attention.length);
  for (const place of layers.keys()) {
    const first = exits.findIndex(({ confidence }, exit) => largestProbability(row(all[exit]!, place)) >= confidence);
    if (first < 0) continue;
    logits.set(row(all[first]!, place), place * classes);
    layers[place] = exits[first]!.layers;
  }
  return { logits, layers };
}

/** After each exit, the last layer's at the end. */
function logitsOfExits(testbed: Testbed, weights: Weights, batch: TokenBatch, watch?: AttentionWatch): Float64Array[] {
  checkWeights(testbed, weights, 'weights');
  checkTokens(testbed, batch);
  const { width, classes, normPlacement } = testbed;
  const taken = new Set(exitsOf(testbed).map(({ layers }) => layers));
  const all: Float64Array[] = [];
  let x = embed(testbed, weights, batch);
  for (const layer of testbed.attention.keys()) {
    x = afterLayer(x, weights, { testbed, layer, watch, items: batch.items, length: batch.length });
    if (!taken.has(layer + 1)) continue;
    const last = normPlacement === 'before' ? normalise(x, testbed, weights, 'norm') : x;
    all.push(multiply(last, weights.get('head')!, { from: width, to: classes }));
  }
  return all;
}

function afterLayer(x: Float64Array, weights: Weights, site: AttentionSite): Float64Array {
  const { testbed, layer } = site;
  const name = `layers.${layer}`;
  const norm = (values: Float64Array, which: string) => normalise(values, testbed, weights, `${name}.${which}`);
  const attention = (values: Float64Array) => attend(values, weights, site);
  const mlp = (values: Float64Array) => feedForward(values, testbed, weights, `${name}.mlp`);
  if (testbed.normPlacement === 'before') {
    const attended = add(x, attention(norm(x, 'norm1')));
    return add(attended, mlp(norm(attended, 'norm2')));
  }
  const attended = norm(add(x, attention(x)), 'norm1');
  return norm(add(attended, mlp(attended)), 'norm2');
}

/**
 * What training makes small, nats: the mean cross-entropy over the scored positions, and over the exits and the last layer.
 * @throws INVALID_INPUTS where no position is scored, and as {@link referenceForward}
 */
export function referenceLoss(testbed: Testbed, weights: Weights, batch: TaskItems): number {
  const losses = logitsOfExits(testbed, weights, batch).map((logits) => crossEntropy(testbed, logits, batch));
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}

function crossEntropy({ classes }: Testbed, logits: Float64Array, { targets }: TaskItems): number {
  let loss = 0;
  let scored = 0;
  for (const [at, target] of targets.entries()) {
    if (target === -1) continue;
    if (target < 0 || target >= classes) throw tokensError(`target ${target} at element ${at}, expected -1 or a class below ${classes}`);
    loss -= logProbability(logits.subarray(at * classes, (at + 1) * classes), target);
    scored += 1;
  }
  if (scored === 0) throw tokensError('no position is scored, expected a target other than -1');
  return loss / scored;
}

function tokensError(problem: string): AttnswapError {
  return new AttnswapError('INVALID_INPUTS', `items: ${problem}`, { hint: 'use the testbed of the task that the items come from' });
}

function checkTokens({ vocabulary, length: longest }: Testbed, { items, length, tokens }: TokenBatch): void {
  if (!(length >= 1 && length <= longest)) throw tokensError(`length is ${length}, expected 1 to ${longest}, the testbed's`);
  if (tokens.length !== items * length) throw tokensError(`${tokens.length} tokens, expected ${items} × ${length}`);
  const wrong = tokens.findIndex((token) => token < 0 || token >= vocabulary);
  if (wrong >= 0) throw tokensError(`token ${tokens[wrong]} at element ${wrong}, expected 0 to ${vocabulary - 1}`);
}

function embed({ width, position }: Testbed, weights: Weights, { length, tokens }: TokenBatch): Float64Array {
  const embedding = weights.get('embed')!;
  const learned = position === 'learned' ? weights.get('position')! : undefined;
  const added = position === 'sinusoidal' ? sinusoidalTable(length, width) : learned;
  return Float64Array.from({ length: tokens.length * width }, (_, at) => {
    const [place, column] = [Math.floor(at / width), at % width];
    return embedding[tokens[place]! * width + column]! + (added?.[(place % length) * width + column] ?? 0);
  });
}

function feedForward(x: Float64Array, { width, hidden }: Testbed, weights: Weights, name: string): Float64Array {
  const inner = gelu(multiply(x, weights.get(`${name}.in`)!, { from: width, to: hidden }));
  return multiply(inner, weights.get(`${name}.out`)!, { from: hidden, to: width });
}
