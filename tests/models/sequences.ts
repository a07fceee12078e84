import type { Tensor } from '../../src/contract/tensor.ts';
import { tensorOf } from '../../src/inputs/model-inputs.ts';
import { RandomStream } from '../../src/inputs/random.ts';
import { size } from './architecture.ts';

/** What is fed. */
export interface FeedRequest {
  readonly batch: number;
  /** Tokens. */
  readonly length: number;
  /** Whether sequences differ in length; the shorter ones are padded at their end, and each keeps its first token. */
  readonly padded?: boolean;
  readonly seed?: number;
  /** Seed of what stands at padded positions: no kept position's output may depend on it. */
  readonly padding?: number;
}

/** How many tokens of each sequence are kept: fewer from the last sequence to the first, half of them at least. */
export function keptLengths({ batch, length, padded = false }: FeedRequest): number[] {
  return Array.from({ length: batch }, (_, row) => (padded ? length - Math.floor((length * (batch - row)) / (2 * batch)) : length));
}

/** Whether a position is kept, `[batch][length]`. */
export function keptPositions(at: FeedRequest): boolean[][] {
  return keptLengths(at).map((kept) => Array.from({ length: at.length }, (_, position) => position < kept));
}

/** Token ids `[batch, length]`, int64. */
export function drawTokens(at: FeedRequest, name = 'tokens'): Tensor {
  const draw = (seed: number) => drawer(at, seed, name, (stream) => Math.floor(size.vocabulary * stream.uniform()));
  return tensorOf('int64', [at.batch, at.length], mixed(at, 1, draw));
}

/** States `[batch, length, hidden]`, f32, normal. */
export function drawStates(at: FeedRequest, name = 'states'): Tensor {
  const draw = (seed: number) => drawer(at, seed, name, (stream) => stream.normal(), size.hidden);
  return tensorOf('float32', [at.batch, at.length, size.hidden], mixed(at, size.hidden, draw));
}

/** Ones at kept positions, zeros elsewhere, `[batch, before + length]`; `before` positions in front are kept too. */
export function paddingMask(at: FeedRequest, before = 0): Tensor {
  const rows = keptPositions(at).flatMap((row) => [...Array.from({ length: before }, () => 1), ...row.map(Number)]);
  return tensorOf('int64', [at.batch, before + at.length], rows);
}

function drawer({ batch, length }: FeedRequest, seed: number, name: string, next: (stream: RandomStream) => number, width = 1): number[] {
  const stream = new RandomStream(seed, name);
  return Array.from({ length: batch * length * width }, () => next(stream));
}

/** Kept positions of one draw, padded positions of another. */
function mixed(at: FeedRequest, width: number, draw: (seed: number) => number[]): number[] {
  const { seed = 0, padding = 1000 } = at;
  const kept = keptPositions(at).flat();
  const [wanted, rest] = [draw(seed), draw(padding)];
  return wanted.map((value, index) => (kept[Math.floor(index / width)] === true ? value : rest[index]!));
}
