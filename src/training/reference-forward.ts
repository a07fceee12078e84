import { AttnswapError } from '../contract/errors.ts';
import { answersOf, leaving } from './answers.ts';
import type { Answers, ExitOutput, TokenBatch } from './answers.ts';
import { checkWeights } from './check-weights.ts';
import type { Weights } from './check-weights.ts';
import { logProbability } from './log-probability.ts';
import { sinusoidalTable } from './positions.ts';
import { attend } from './reference-attention.ts';
import type { AttentionWatch } from './reference-attention.ts';
import { add, gelu, multiply, normalise } from './reference-layers.ts';
import type { SourceTokens, TaskItems } from './task.ts';
import { byEveryLayer, exitsByPosition, exitsInTraining, exitsOf, normOf, sitesOf } from './testbed.ts';
import type { Exit, Site, Testbed } from './testbed.ts';

/**
 * The testbed in float64, as plain loops: what trainers and exported models are judged by. Logits `[items, length, classes]` of tokens
 * `[items, length]`. Only the inputs of attention are rounded, to f32; `watch` is shown them, site by site.
 * @throws INVALID_INPUTS for weights or tokens that are not this testbed's; INVALID_SHAPE
 */
export function referenceForward(testbed: Testbed, weights: Weights, batch: TokenBatch, watch?: AttentionWatch): Float64Array {
  return referenceAnswers(testbed, weights, batch, watch).logits;
}

/** The same with where each answer was taken. @throws as {@link referenceForward} */
export function referenceAnswers(testbed: Testbed, weights: Weights, batch: TokenBatch, watch?: AttentionWatch): Answers<Float64Array> {
  return answersOf(testbed, batch, outputsOfExits({ testbed, weights, batch, watch }, exitsOf(testbed)));
}

/** After each exit, the last layer's at the end; states of positions that have left by themselves are copied. */
function outputsOfExits({ weights: given, ...of }: ModelAtWork, exits: readonly Exit[]): Array<ExitOutput<Float64Array>> {
  const { testbed, batch } = of;
  checkWeights(testbed, given, 'weights');
  const weights = byEveryLayer(testbed, given);
  checkTokens(testbed, batch);
  const { width, classes } = testbed;
  const model = { ...of, weights };
  const left = new Set<number>();
  const memory = encode(model);
  const all: Array<ExitOutput<Float64Array>> = [];
  let x = embed(testbed, weights, batch, '');
  for (const layer of testbed.attention.keys()) {
    const after = afterLayer(x, memory, `layers.${layer}`, model);
    for (const place of left) after.set(x.subarray(place * width, (place + 1) * width), place * width);
    x = after;
    const exit = exits.find(({ layers }) => layers === layer + 1);
    if (exit === undefined) continue;
    const normed = lastNorm(x, testbed, weights, 'norm');
    const logits = multiply(normed, weights.get('head')!, { from: width, to: classes });
    const isLast = layer + 1 === testbed.attention.length;
    const output = { logits, sure: isLast ? undefined : surenessAt(normed, weights, `layers.${layer}.exit`) };
    all.push(output);
    if (exitsByPosition(testbed)) for (const place of leaving(testbed, batch, output, exit)) left.add(place);
  }
  return all;
}

/** What the head `name` makes of states, `[positions]`; undefined where there is none. */
function surenessAt(normed: Float64Array, weights: Weights, name: string): Float64Array | undefined {
  const [weight, bias] = [weights.get(`${name}.weight`), weights.get(`${name}.bias`)];
  if (weight === undefined || bias === undefined) return undefined;
  return multiply(normed, weight, { from: weight.length, to: 1 }).map((logit) => 1 / (1 + Math.exp(-logit - bias[0]!)));
}

interface ModelAtWork {
  readonly testbed: Testbed;
  readonly weights: Weights;
  readonly batch: TokenBatch;
  readonly watch?: AttentionWatch | undefined;
}

/** What the encoder gives, `[items, source length, width]`; undefined where there is none. */
function encode(model: ModelAtWork): Float64Array | undefined {
  const { testbed, weights, batch } = model;
  if (testbed.encoder === undefined || batch.source === undefined) return undefined;
  let x = embed(testbed, weights, batch.source, 'encoder.');
  for (const layer of testbed.encoder.attention.keys()) x = afterLayer(x, undefined, `encoder.layers.${layer}`, model);
  return lastNorm(x, testbed, weights, 'encoder.norm');
}

function lastNorm(x: Float64Array, testbed: Testbed, weights: Weights, name: string): Float64Array {
  return testbed.normPlacement === 'before' ? normalise(x, testbed, weights, name) : x;
}

/** The state after the layer `name`; `memory` is what it attends to besides itself. */
function afterLayer(x: Float64Array, memory: Float64Array | undefined, name: string, model: ModelAtWork): Float64Array {
  const { testbed, weights, batch, watch } = model;
  const residual = (before: Float64Array, norm: string, branch: (values: Float64Array) => Float64Array) =>
    testbed.normPlacement === 'before'
      ? add(before, branch(normalise(before, testbed, weights, norm)))
      : normalise(add(before, branch(before)), testbed, weights, norm);
  const call = (site: Site) => ({ testbed, site, sizes: batch, watch, ...(site.kind === 'cross' && { memory }) });
  const attended = sitesOf(testbed)
    .filter((site) => site.name.startsWith(`${name}.`))
    .reduce((before, site) => residual(before, normOf(site), (values) => attend(values, weights, call(site))), x);
  return residual(attended, `${name}.norm2`, (values) => feedForward(values, testbed, weights, `${name}.mlp`));
}

/**
 * What training makes small, nats: the mean cross-entropy over the scored positions, and over the exits and the last layer; with `layerCost` what an
 * answer is expected to cost, too.
 * @throws INVALID_INPUTS where no position is scored, and as {@link referenceForward}
 */
export function referenceLoss(testbed: Testbed, weights: Weights, batch: TaskItems): number {
  const places = [...batch.targets.keys()].filter((place) => batch.targets[place] !== -1);
  if (places.length === 0) throw tokensError('no position is scored, expected a target other than -1');
  const { layerCost } = testbed;
  const exits = exitsInTraining(testbed);
  const every = outputsOfExits({ testbed, weights, batch }, exits);
  const losses = places.map((place) => {
    const own = every.map(({ logits }) => crossEntropy(testbed, logits, batch, place));
    const mean = own.reduce((sum, loss) => sum + loss, 0) / own.length;
    if (layerCost === undefined || own.length === 1) return mean;
    // From the last layer back: what it costs to leave here or go on.
    const price = (at: number) => own[at]! + layerCost * exits[at]!.layers;
    return mean + own.reduceRight((ahead, _, at) => ahead + (every[at]!.sure?.[place] ?? 1) * (price(at) - ahead), 0);
  });
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}

function crossEntropy({ classes }: Testbed, logits: Float64Array, { targets }: TaskItems, place: number): number {
  const target = targets[place]!;
  if (target < 0 || target >= classes) throw tokensError(`target ${target} at element ${place}, expected -1 or a class below ${classes}`);
  return -logProbability(logits.subarray(place * classes, (place + 1) * classes), target);
}

function tokensError(problem: string): AttnswapError {
  return new AttnswapError('INVALID_INPUTS', `items: ${problem}`, { hint: 'use the testbed of the task that the items come from' });
}

function checkTokens(testbed: Testbed, { items, length, tokens, source }: TokenBatch): void {
  checkRows(testbed, { items, length, tokens }, { name: '', longest: testbed.length });
  if ((source === undefined) !== (testbed.encoder === undefined))
    throw tokensError(source === undefined ? 'no source, expected one for the encoder' : 'a source, but the testbed has no encoder');
  if (source !== undefined) checkRows(testbed, { items, ...source }, { name: 'source ', longest: testbed.encoder!.length });
}

function checkRows(
  { vocabulary }: Testbed,
  { items, length, tokens }: Omit<TokenBatch, 'source'>,
  { name, longest }: { readonly name: string; readonly longest: number },
): void {
  if (!(length >= 1 && length <= longest)) throw tokensError(`${name}length is ${length}, expected 1 to ${longest}, the testbed's`);
  if (tokens.length !== items * length) throw tokensError(`${tokens.length} ${name}tokens, expected ${items} × ${length}`);
  const wrong = tokens.findIndex((token) => token < 0 || token >= vocabulary);
  if (wrong >= 0) throw tokensError(`${name}token ${tokens[wrong]} at element ${wrong}, expected 0 to ${vocabulary - 1}`);
}

/** Embedded tokens with their positions; `prefix` begins the names of what the encoder has of its own. */
function embed({ width, position }: Testbed, weights: Weights, { length, tokens }: SourceTokens, prefix: '' | 'encoder.'): Float64Array {
  const embedding = weights.get('embed')!;
  const learned = position === 'learned' ? weights.get(`${prefix}position`)! : undefined;
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
