import { headKinds } from '../../src/inputs/head-kinds.ts';
import type { HeadKind } from '../../src/inputs/head-kinds.ts';
import { layOutHead, pairAmplitudes } from '../../src/inputs/logit-parts.ts';
import { RandomStream } from '../../src/inputs/random.ts';

/** Kinds of the heads of a layer, in turn. None rests on a sink: a sound has no first token that is always the same. */
const kinds = ['local', 'local', 'local', 'hitter', 'diffuse', 'retrieval'].map((name) => headKinds.find((kind) => kind.name === name)!);

/** Weights `[width, width]`, inputs first, of a layer's queries and keys, and the queries' bias `[width]`. */
export interface QueriesAndKeys {
  readonly query: Float32Array;
  readonly queryBias: Float32Array;
  readonly key: Float32Array;
}

interface Layer {
  readonly width: number;
  readonly heads: number;
  readonly layer: number;
  readonly seed: number;
}

/**
 * The channels in which the sine and then the cosine of each position pair lie, fastest first: angles fall by 1.5 from one pair to the next, as
 * those of `calibrated` inputs do.
 */
export function positionChannels(width: number, headDim: number): readonly number[] {
  const half = width / 2;
  const channel = (pair: number) => Math.round((pair * Math.log(1.5) * (half - 1)) / Math.log(10_000));
  return Array.from({ length: layOutHead(headDim).pairs }, (_, pair) => channel(pair)).flatMap((sine) => [sine, sine + half]);
}

/**
 * Projections that make logits as `calibrated` inputs have them, from normed states: content, read from all channels but those of positions;
 * position, whose sines and cosines multiply to a function of distance; and what single keys add for every query.
 */
export function drawQueriesAndKeys({ width, heads, layer, seed }: Layer): QueriesAndKeys {
  const [query, key] = [new Float32Array(width * width), new Float32Array(width * width)];
  const queryBias = new Float32Array(width);
  const headDim = width / heads;
  for (let head = 0; head < heads; head += 1) {
    const at = { query, key, queryBias, width, headDim, start: head * headDim, kind: kinds[head % kinds.length]! };
    fillContent(at, new RandomStream(seed, `encoder/content/${layer}/${head}`));
    fillPositions(at);
    fillBias(at, new RandomStream(seed, `encoder/bias/${layer}/${head}`));
  }
  return { query, queryBias, key };
}

interface Head extends QueriesAndKeys {
  readonly width: number;
  readonly headDim: number;
  /** The head's first column. */
  readonly start: number;
  readonly kind: HeadKind;
}

/** √copy of what both sides read and √(1−copy) of their own, so that logits of unrelated frames have the kind's deviation. */
function fillContent({ query, key, width, headDim, start, kind }: Head, stream: RandomStream): void {
  const { content } = layOutHead(headDim);
  const channels = contentChannels(width, headDim);
  const amplitude = Math.sqrt(kind.deviation / Math.sqrt(content)) / Math.sqrt(channels.length);
  for (const channel of channels) {
    for (let dim = 0; dim < content; dim += 1) {
      const shared = Math.sqrt(kind.copy) * stream.normal();
      const own = () => Math.sqrt(1 - kind.copy) * stream.normal();
      query[channel * width + start + dim] = Math.sqrt(headDim) * amplitude * (shared + own());
      key[channel * width + start + dim] = amplitude * (shared + own());
    }
  }
}

function fillPositions({ query, key, width, headDim, start, kind }: Head): void {
  const { content, pairs } = layOutHead(headDim);
  // Angles are 1/1.5^m a frame here, and π/1.5^m there.
  const amplitudes = pairAmplitudes({ ...kind, reach: kind.reach / Math.PI }, pairs);
  for (const [at, channel] of positionChannels(width, headDim).entries()) {
    const column = start + content + at;
    const factor = Math.sqrt(amplitudes[at >> 1]!);
    query[channel * width + column] = Math.sqrt(headDim) * factor;
    key[channel * width + column] = factor;
  }
}

/** A direction of states that adds to a key's logits, the same for every query. */
function fillBias({ key, queryBias, width, headDim, start, kind }: Head, stream: RandomStream): void {
  const column = start + layOutHead(headDim).bias;
  const channels = contentChannels(width, headDim);
  queryBias[column] = Math.sqrt(headDim);
  for (const channel of channels)
    key[channel * width + column] = (hitterShare * kind.hitter * stream.normal()) / Math.sqrt(channels.length);
}

/** Of a kind's heavy hitters, which are few and strong, as the deviation of a normal bias: its tail has as much of the weight. */
const hitterShare = 0.35;

function contentChannels(width: number, headDim: number): readonly number[] {
  const positions = new Set(positionChannels(width, headDim));
  return Array.from({ length: width }, (_, channel) => channel).filter((channel) => !positions.has(channel));
}
