import { AttnswapError } from '../contract/errors.ts';
import { checkWeights } from './check-weights.ts';
import type { Weights } from './check-weights.ts';
import { logProbability } from './log-probability.ts';
import { sinusoidalTable } from './positions.ts';
import { attend } from './reference-attention.ts';
import { add, gelu, multiply, normalise } from './reference-layers.ts';
import type { TaskItems } from './task.ts';
import type { Testbed } from './testbed.ts';

export type TokenBatch = Pick<TaskItems, 'items' | 'length' | 'tokens'>;

/**
 * The testbed in float64, as plain loops: what trainers and exported models are judged by. Logits `[items, length, classes]` of tokens
 * `[items, length]`. Only the inputs of attention are rounded, to f32.
 * @throws INVALID_INPUTS for weights or tokens that are not this testbed's; INVALID_SHAPE
 */
export function referenceForward(testbed: Testbed, weights: Weights, batch: TokenBatch): Float64Array {
  checkWeights(testbed, weights, 'weights');
  checkTokens(testbed, batch);
  const { width, classes, normPlacement } = testbed;
  let x = embed(testbed, weights, batch);
  for (const layer of testbed.attention.keys()) {
    const name = `layers.${layer}`;
    const norm = (values: Float64Array, which: string) => normalise(values, testbed, weights, `${name}.${which}`);
    const attention = (values: Float64Array) => attend(values, weights, { testbed, layer, items: batch.items, length: batch.length });
    const mlp = (values: Float64Array) => feedForward(values, testbed, weights, `${name}.mlp`);
    if (normPlacement === 'before') {
      x = add(x, attention(norm(x, 'norm1')));
      x = add(x, mlp(norm(x, 'norm2')));
    } else {
      x = norm(add(x, attention(x)), 'norm1');
      x = norm(add(x, mlp(x)), 'norm2');
    }
  }
  if (normPlacement === 'before') x = normalise(x, testbed, weights, 'norm');
  return multiply(x, weights.get('head')!, { from: width, to: classes });
}

/** Mean cross-entropy over the scored positions, nats. @throws INVALID_INPUTS where there is none, and as {@link referenceForward} */
export function referenceLoss(testbed: Testbed, weights: Weights, batch: TaskItems): number {
  const { classes } = testbed;
  const logits = referenceForward(testbed, weights, batch);
  let loss = 0;
  let scored = 0;
  for (const [at, target] of batch.targets.entries()) {
    if (target === -1) continue;
    if (target < 0 || target >= classes) throw tokensError(`target ${target} at element ${at}, expected -1 or a class below ${classes}`);
    loss -= logProbability(logits.subarray(at * classes, (at + 1) * classes), target);
    scored += 1;
  }
  if (scored === 0) throw tokensError('no position is scored, expected a target other than -1');
  return loss / scored;
}

function tokensError(problem: string): AttnswapError {
  return new AttnswapError('INVALID_INPUTS', `items: ${problem}`, { hint: 'use a testbed of the task that the items are from' });
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
