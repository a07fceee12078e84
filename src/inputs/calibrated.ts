import type { AttentionInputs } from '../contract/inputs.ts';
import { kvHeadOf, positionOffset } from '../contract/shape.ts';
import type { Shape } from '../contract/shape.ts';
import { checkShape } from './check-shape.ts';
import { roundToDType } from './half-precision.ts';
import { dealHeadKinds } from './head-kinds.ts';
import type { HeadKind } from './head-kinds.ts';
import { layOutHead, pairAmplitudes, positionWaves } from './logit-parts.ts';
import type { HeadLayout } from './logit-parts.ts';
import { RandomStream } from './random.ts';
import { drawTokens } from './tokens.ts';

const heavyHitterShare = 0.02;
const sinkValueFactor = 0.15;
const afterSinkFactor = 0.2;

/** What all heads of one batch element share. */
interface Sequence {
  readonly batch: number;
  /** The position of the first token: 0, or below where queries outnumber keys. */
  readonly first: number;
  readonly tokens: Uint16Array;
  readonly waves: Float64Array;
}

/** What a head's queries and keys are made from. */
interface Head {
  readonly kind: HeadKind;
  readonly layout: HeadLayout;
  readonly amplitudes: Float64Array;
  /** `[types that occur, content]`, unit normal. */
  readonly embedding: Float64Array;
}

/** Rows to fill: `rows` of `headDim` from `offset` on, the first at position `first`. */
interface Target {
  readonly tensor: Float32Array;
  readonly offset: number;
  readonly rows: number;
  readonly first: number;
  readonly headDim: number;
}

/**
 * Inputs whose dense attention resembles a trained causal language model's: query `[batch, heads, queries, headDim]`, key
 * and value `[batch, kvHeads, keys, headDim]`, built in float64 and rounded to `shape.dtype`. With scale 1/√headDim a
 * logit is the sum of content, position and key bias (a sink at key 0, heavy hitters), by kinds of heads that are dealt
 * over the key/value heads. Where queries do not outnumber keys, a longer draw's keys and values begin with a shorter one's.
 * @throws INVALID_SHAPE
 */
export function drawCalibrated(shape: Shape, seed: number): AttentionInputs {
  checkShape(shape);
  const rows = (heads: number, length: number): Float32Array => new Float32Array(shape.batch * heads * length * shape.headDim);
  const query = rows(shape.heads, shape.queries);
  const key = rows(shape.kvHeads, shape.keys);
  const value = rows(shape.kvHeads, shape.keys);
  const sequences = drawSequences(shape, seed);
  const kinds = dealHeadKinds(shape.kvHeads);
  for (const [kvHead, kind] of kinds.entries()) {
    const head = drawHead({ shape, kind, sequences }, new RandomStream(seed, `calibrated/embedding/${kvHead}`));
    for (const sequence of sequences) {
      fillKeys(key, { shape, head, sequence, kvHead }, seed);
      fillQueries(query, { shape, head, sequence, kvHead }, seed);
      fillValues(value, { shape, head, sequence, kvHead }, seed);
    }
  }
  for (const tensor of [query, key, value]) roundToDType(tensor, shape.dtype);
  return { shape, query, key, value, scale: 1 / Math.sqrt(shape.headDim) };
}

function drawSequences(shape: Shape, seed: number): readonly Sequence[] {
  const first = Math.min(0, positionOffset(shape));
  const positions = shape.keys - first;
  const waves = positionWaves(first, positions, layOutHead(shape.headDim).pairs);
  return Array.from({ length: shape.batch }, (_, batch) => {
    const tokens = drawTokens(new RandomStream(seed, `calibrated/tokens/${batch}`), positions);
    return { batch, first, tokens, waves };
  });
}

function drawHead(of: { shape: Shape; kind: HeadKind; sequences: readonly Sequence[] }, stream: RandomStream): Head {
  const layout = layOutHead(of.shape.headDim);
  let types = 0;
  for (const { tokens } of of.sequences) for (const token of tokens) types = Math.max(types, token + 1);
  return {
    kind: of.kind,
    layout,
    amplitudes: pairAmplitudes(of.kind, layout.pairs),
    embedding: stream.fillNormal(new Float64Array(types * layout.content)),
  };
}

interface HeadOfSequence {
  readonly shape: Shape;
  readonly head: Head;
  readonly sequence: Sequence;
  readonly kvHead: number;
}

function fillKeys(tensor: Float32Array, at: HeadOfSequence, seed: number): void {
  const { shape, head, sequence, kvHead } = at;
  const stream = `${sequence.batch}/${kvHead}`;
  const offset = (sequence.batch * shape.kvHeads + kvHead) * shape.keys * shape.headDim;
  const target = { tensor, offset, rows: shape.keys, first: 0, headDim: shape.headDim };
  fillContent(target, at, { scale: 1, noise: new RandomStream(seed, `calibrated/key/${stream}`) });
  fillWaves(target, at, 1);
  const biases = drawBiases(head.kind, shape.keys, new RandomStream(seed, `calibrated/bias/${stream}`));
  for (let row = 0; row < shape.keys; row += 1) tensor[offset + row * shape.headDim + head.layout.bias] = biases[row]!;
}

/** The queries of every head that reads `kvHead`: its kind and its embedding, each with noise of its own. */
function fillQueries(tensor: Float32Array, at: HeadOfSequence, seed: number): void {
  const { shape, head, sequence } = at;
  // √headDim cancels the scale of the logits.
  const scale = Math.sqrt(shape.headDim);
  for (let queryHead = 0; queryHead < shape.heads; queryHead += 1) {
    if (kvHeadOf(shape, queryHead) !== at.kvHead) continue;
    const offset = (sequence.batch * shape.heads + queryHead) * shape.queries * shape.headDim;
    const target = { tensor, offset, rows: shape.queries, first: positionOffset(shape), headDim: shape.headDim };
    fillContent(target, at, { scale, noise: new RandomStream(seed, `calibrated/query/${sequence.batch}/${queryHead}`) });
    fillWaves(target, at, scale);
    for (let row = 0; row < shape.queries; row += 1) tensor[offset + row * shape.headDim + head.layout.bias] = scale;
  }
}

/**
 * Content of unit normal dimensions: √copy of the token's embedding and √(1−copy) of noise, on both sides, so that query
 * and key of one token correlate by `copy`, and logits of unrelated tokens have standard deviation σ.
 */
function fillContent(target: Target, at: HeadOfSequence, options: { scale: number; noise: RandomStream }): void {
  const { kind, layout, embedding } = at.head;
  if (layout.content === 0) return;
  const amplitude = options.scale * Math.sqrt(kind.deviation / Math.sqrt(layout.content));
  const shared = amplitude * Math.sqrt(kind.copy);
  const own = amplitude * Math.sqrt(1 - kind.copy);
  for (let row = 0; row < target.rows; row += 1) {
    const token = at.sequence.tokens[target.first + row - at.sequence.first]!;
    const start = target.offset + row * target.headDim;
    for (let dim = 0; dim < layout.content; dim += 1) {
      target.tensor[start + dim] = shared * embedding[token * layout.content + dim]! + own * options.noise.normal();
    }
  }
}

function fillWaves(target: Target, at: HeadOfSequence, scale: number): void {
  const { amplitudes, layout } = at.head;
  const factors = amplitudes.map((amplitude) => scale * Math.sqrt(amplitude));
  for (let row = 0; row < target.rows; row += 1) {
    const wave = (target.first + row - at.sequence.first) * layout.pairs * 2;
    const start = target.offset + row * target.headDim + layout.content;
    for (let dim = 0; dim < layout.pairs * 2; dim += 1) {
      target.tensor[start + dim] = factors[dim >> 1]! * at.sequence.waves[wave + dim]!;
    }
  }
}

/** What each key adds to every logit, `[keys]`: the sink at key 0, a fifth of it at keys 1 to 3, and heavy hitters, each key with probability 2 %. */
function drawBiases(kind: HeadKind, keys: number, stream: RandomStream): Float64Array {
  const biases = new Float64Array(keys);
  for (let key = 0; key < keys; key += 1) {
    // Both numbers are drawn for every key, so that the next key's do not depend on this one's.
    const chance = stream.uniform();
    const strength = kind.hitter * (0.5 + stream.uniform());
    if (key === 0) biases[key] = kind.sink;
    else if (key < 4) biases[key] = afterSinkFactor * kind.sink;
    else if (chance < heavyHitterShare) biases[key] = strength;
  }
  return biases;
}

/** Unit normal values; the sink's row is small, as trained models make it (Gu et al., ICLR 2025). */
function fillValues(tensor: Float32Array, at: HeadOfSequence, seed: number): void {
  const { shape, sequence, kvHead } = at;
  const start = (sequence.batch * shape.kvHeads + kvHead) * shape.keys * shape.headDim;
  const rows = tensor.subarray(start, start + shape.keys * shape.headDim);
  new RandomStream(seed, `calibrated/value/${sequence.batch}/${kvHead}`).fillNormal(rows);
  for (let dim = 0; dim < shape.headDim; dim += 1) rows[dim]! *= sinkValueFactor;
}
